"""What the organization decides about the survey page (YAML: `csat.page`)."""

from supportops.config import Rules


class PageRules(Rules):
    """Languages and limits of the survey page."""
