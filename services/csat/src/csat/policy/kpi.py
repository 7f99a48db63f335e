"""What the organization decides about its numbers (YAML: `csat.numbers`)."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from csat.kpi.attributes import Source
from supportops.config.rules_file import Rules


class NumbersRules(Rules):
    """Targets, and the time zone of the report's days (handbook C2, C9)."""

    target_kpi: float = Field(0.95, ge=0, le=1, description="Good of good and bad (C2).")
    target_response: float = Field(0.24, ge=0, le=1, description="Answered of asked (C9).")
    target_offered: float = Field(0.90, ge=0, le=1, description="Asked of decided (C9).")
    plan: Source = Field(
        Source(organization_field="support_level"), description="Where a plan is found (S7)."
    )
    region: Source = Field(Source(organization_field="region"), description="Where a region is found (C9).")
    time_zone: str = Field("UTC", description="Where the report's days begin, such as Europe/Berlin.")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone such as UTC, Europe/Berlin or America/New_York") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the report."""
        return ZoneInfo(self.time_zone)
