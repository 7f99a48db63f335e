"""What the organization decides about the feedback export (YAML: `csat.feedback`)."""

from pydantic import Field

from supportops.config import Rules


class FeedbackRules(Rules):
    """Where feedback goes and who hears of it (handbook C10, C11)."""

    project: str | None = Field(
        None,
        description="Numeric id (or path) of the GitLab project that takes feedback; null: none is exported.",
    )
