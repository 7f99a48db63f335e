"""The organization's rules for the notifier (YAML): the ground floor, imports nothing else of the service."""
