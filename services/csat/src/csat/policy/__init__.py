"""The organization's rules for csat (YAML): the ground floor, imports nothing else of the service."""
