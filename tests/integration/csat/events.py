"""Ticket events as ingest publishes them, made by hand."""

from datetime import UTC, datetime
from typing import Any, Literal

from supportops.contracts import TicketMerged, TicketRated, TicketReopened, TicketSolved
from supportops.ticket_version import version_of

Road = Literal["native", "trigger", "export"]


def _about(ticket_id: str, moment: datetime) -> dict[str, Any]:
    """What every event about a ticket says."""
    return {
        "source": "/zendesk/22129848",
        "time": moment,
        "subject": ticket_id,
        "account_id": "22129848",
        "ticket_id": ticket_id,
        "version": version_of(moment, moment),
    }


def solved(
    ticket_id: str, at: datetime, *, seen: datetime | None = None, road: Road = "native"
) -> TicketSolved:
    """Solved at `at`; `seen`: the ticket's `updated_at` when the road looked (the export looks later)."""
    moment = seen or at
    return TicketSolved(
        id=f"{road}-solved-{ticket_id}-{at:%H%M%S.%f}-{moment:%H%M%S.%f}",
        **_about(ticket_id, moment),
        road=road,
        solved_at=at,
    )


def reopened(ticket_id: str, at: datetime) -> TicketReopened:
    """Reopened at `at` by a customer's reply."""
    return TicketReopened(
        id=f"native-reopened-{ticket_id}-{at:%H%M%S.%f}",
        **_about(ticket_id, at),
        current_status="open",
    )


def merged(ticket_id: str, at: datetime, target: str = "999") -> TicketMerged:
    """Merged into `target` at `at`."""
    return TicketMerged(
        id=f"native-merged-{ticket_id}-{at:%H%M%S.%f}",
        **_about(ticket_id, at),
        target_ticket_id=target,
    )


def rated(ticket_id: str, name: str, *, score: str | None = None, at: datetime | None = None) -> TicketRated:
    """Zendesk says that something about the ticket's rating changed; `name` makes the event's id."""
    moment = at or datetime.now(UTC)
    return TicketRated(
        id=f"rated-{name}",
        **_about(ticket_id, moment),
        score=score,
    )
