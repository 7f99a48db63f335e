"""What the organization decides about its webhooks (YAML, section `ingest`)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal

from pydantic import Field

from supportops.config.rules_file import Duration, Rules

Kind = Literal["created", "solved", "reopened", "closed", "rated", "sla_changed", "updated"]


# Names that a trigger may carry, written with hyphens; any other name is an `updated`.
DEFAULT_KINDS: Final[Mapping[str, Kind]] = {
    "created": "created",
    "ticket-created": "created",
    "solved": "solved",
    "ticket-solved": "solved",
    "reopened": "reopened",
    "ticket-reopened": "reopened",
    "closed": "closed",
    "ticket-closed": "closed",
    "rated": "rated",
    "csat-received": "rated",
    "csat-requested": "rated",
    "sla-changed": "sla_changed",
    "sla-breach-changed": "sla_changed",
}


class IngestPolicy(Rules):
    """The section `ingest` of the YAML file."""

    triggers: dict[str, Kind] = Field(
        default_factory=dict,
        description="What the `trigger` of a trigger body means, in lower case with hyphens; others: updated.",
    )
    keep_webhooks: Duration = Field(
        timedelta(days=30), description="How long bodies stay in the raw log, for audit and replay."
    )
