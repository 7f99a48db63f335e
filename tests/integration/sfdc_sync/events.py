"""Ticket events as ingest publishes them, made by hand. Time is in seconds after one fixed moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

from supportops.contracts import (
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketSnapshot,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Zendesk
from tests.integration.sfdc_sync.sandbox import GROABLET, RITA

BEGIN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def at(second: int) -> datetime:
    return BEGIN + timedelta(seconds=second)


def snapshot(second: int, status: str, **more: Any) -> TicketSnapshot:
    usual = {
        "status": status,
        "subject": "Printer on fire",
        "priority": "high",
        "tags": ["mobile", "login"],
        "requester_id": RITA,
        "organization_id": GROABLET,
        "created_at": BEGIN,
        "updated_at": at(second),
    }
    return TicketSnapshot.model_validate(usual | more)


def envelope_of(
    kind: str, ticket_id: str, second: int, ticket: TicketSnapshot | None = None
) -> dict[str, Any]:
    """What every ticket event carries; without `ticket` nothing is told of it."""
    return {
        "id": f"{kind}-{ticket_id}-{second}",
        "source": "/zendesk/22129848",
        "time": at(second),
        "subject": ticket_id,
        "account_id": "22129848",
        "ticket_id": ticket_id,
        "version": version_of(at(second), at(second)),
        "ticket": ticket or TicketSnapshot(),
    }


def created(ticket_id: str, second: int = 0, **more: Any) -> TicketCreated:
    return TicketCreated(**envelope_of("created", ticket_id, second, snapshot(second, "new", **more)))


def solved(ticket_id: str, second: int, **more: Any) -> TicketSolved:
    envelope = envelope_of("solved", ticket_id, second, snapshot(second, "solved", **more))
    return TicketSolved(**envelope, solved_at=at(second))


def updated(ticket_id: str, second: int, status: str = "open", **more: Any) -> TicketUpdated:
    envelope = envelope_of("updated", ticket_id, second, snapshot(second, status, **more))
    return TicketUpdated(**envelope, zendesk_type="subject_changed")


def deleted(ticket_id: str, second: int) -> TicketDeleted:
    return TicketDeleted(**envelope_of("deleted", ticket_id, second, TicketSnapshot()))


def undeleted(ticket_id: str, second: int, **more: Any) -> TicketUndeleted:
    return TicketUndeleted(**envelope_of("undeleted", ticket_id, second, snapshot(second, "open", **more)))


def merged(ticket_id: str, second: int, into: str) -> TicketMerged:
    return TicketMerged(
        **envelope_of("merged", ticket_id, second, snapshot(second, "closed")), target_ticket_id=into
    )


def erased(ticket_id: str, second: int) -> TicketDeleted:
    return TicketDeleted(
        **envelope_of("erased", ticket_id, second, TicketSnapshot(status="deleted")), permanently=True
    )


async def told[E: TicketEvent](zendesk: Zendesk, ticket_id: str, kind: type[E], **more: Any) -> E:
    """An event of this kind that tells what Zendesk shows of the ticket just now; of a deleted one nothing."""
    fresh = (await zendesk.tickets([ticket_id])).get(ticket_id)
    now = datetime.now(UTC)
    names = set(TicketSnapshot.model_fields) & set(type(fresh).model_fields) if fresh else set()
    snapshot = TicketSnapshot.model_validate(fresh.model_dump(include=names)) if fresh else TicketSnapshot()
    envelope = envelope_of(f"{kind.__name__}-{now.timestamp()}", ticket_id, 0, snapshot)
    version = version_of(fresh.updated_at if fresh else now.replace(microsecond=0), now)
    return kind(**{**envelope, "time": now, "version": version, **more})
