"""What the organization decides about its numbers (YAML: `csat.numbers`)."""

from pydantic import Field

from supportops.config import Rules


class NumbersRules(Rules):
    """Targets, and what the numbers are broken down by (handbook C2, C9)."""

    target_kpi: float = Field(0.95, ge=0, le=1, description="Good of good and bad (C2).")
    target_response: float = Field(0.24, ge=0, le=1, description="Answered of asked (C9).")
    target_offered: float = Field(0.90, ge=0, le=1, description="Asked of decided (C9).")
