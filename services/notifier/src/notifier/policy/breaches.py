"""What the organization decides about breach notices (YAML, section `notifier.breaches`)."""

from supportops.config.rules_file import Rules


class BreachPolicy(Rules):
    """When people are told that an SLA target is about to be missed."""
