"""Ticket events as ingest publishes them, made by hand."""

from datetime import datetime
from typing import Literal

from supportops.contracts import TicketMerged, TicketReopened, TicketSolved
from supportops.ticket_version import version_of

Road = Literal["native", "trigger", "export"]


def solved(
    ticket_id: str, at: datetime, *, seen: datetime | None = None, road: Road = "native"
) -> TicketSolved:
    """Solved at `at`; `seen`: the ticket's `updated_at` when the road looked (the export looks later)."""
    moment = seen or at
    return TicketSolved(
        id=f"{road}-solved-{ticket_id}-{at:%H%M%S.%f}-{moment:%H%M%S.%f}",
        source="/zendesk/22129848",
        time=moment,
        subject=ticket_id,
        account_id="22129848",
        ticket_id=ticket_id,
        version=version_of(moment, moment),
        road=road,
        solved_at=at,
    )


def reopened(ticket_id: str, at: datetime) -> TicketReopened:
    """Reopened at `at` by a customer's reply."""
    return TicketReopened(
        id=f"native-reopened-{ticket_id}-{at:%H%M%S.%f}",
        source="/zendesk/22129848",
        time=at,
        subject=ticket_id,
        account_id="22129848",
        ticket_id=ticket_id,
        version=version_of(at, at),
        current_status="open",
    )


def merged(ticket_id: str, at: datetime, target: str = "999") -> TicketMerged:
    """Merged into `target` at `at`."""
    return TicketMerged(
        id=f"native-merged-{ticket_id}-{at:%H%M%S.%f}",
        source="/zendesk/22129848",
        time=at,
        subject=ticket_id,
        account_id="22129848",
        ticket_id=ticket_id,
        version=version_of(at, at),
        target_ticket_id=target,
    )
