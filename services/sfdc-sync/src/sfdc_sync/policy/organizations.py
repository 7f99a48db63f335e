"""What the organization decides about accounts and organizations (YAML, `sfdc_sync.organizations`)."""

from supportops.config.rules_file import Rules


class OrganizationsPolicy(Rules):
    """`sfdc_sync.organizations:` in the rules' file (accounts → organizations)."""
