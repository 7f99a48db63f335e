"""The organization's rules for sfdc-sync (YAML): the ground floor, imports nothing else of the service."""
