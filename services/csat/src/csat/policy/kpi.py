"""What the organization decides about its numbers (YAML: `csat.numbers`)."""

from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from supportops.config.rules_file import Rules


class Source(Rules):
    """Where a value comes from: one of the three, or none of them (then it is always empty)."""

    organization_field: str | None = Field(
        None, min_length=1, max_length=255, description="Key of a field of the organization, by Zendesk."
    )
    ticket_field: str | None = Field(
        None, pattern=r"^[0-9]{1,20}$", description="Id of a field of the ticket (in quotes)."
    )
    tags: dict[str, str] = Field(
        {}, description="Value by tag of the ticket; the first tag named here counts."
    )
    labels: dict[str, str] = Field(
        {}, description="What a value is shown as, e.g. plan_premium_2021: Premium; others as they are."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("organization_field", "ticket_field", "tags") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"must name one source, not {' and '.join(given)}")
        return self


class KpiPolicy(Rules):
    """Targets, and the time zone of the report's days (docs/rules.md C2, C9)."""

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
