"""Ticket events as ingest publishes them from Zendesk's own, made by hand after the sandbox's tickets."""

from datetime import datetime
from itertools import count
from typing import Any

from supportops.contracts import (
    Change,
    Comment,
    TicketCommented,
    TicketCreated,
    TicketEvent,
    TicketSnapshot,
    TicketSolved,
    TicketUpdated,
)
from supportops.ticket_version import version_of
from tests.integration.notifier.sandbox import ADA, RITA

_numbers = count(1)


def snapshot(ticket: dict[str, Any], **changes: Any) -> TicketSnapshot:
    """What `detail` says of a ticket that REST shows like this."""
    known = {name: ticket[name] for name in ("status", "subject", "tags", "is_public", "description")}
    known |= {"form_id": _text(ticket["ticket_form_id"]), "organization_id": _text(ticket["organization_id"])}
    known |= {"created_at": ticket["created_at"], "updated_at": ticket["updated_at"]}
    return TicketSnapshot(**(known | changes))


def created(
    ticket: dict[str, Any], at: datetime, *, sequence: str | None = "1", **more: Any
) -> TicketCreated:
    return TicketCreated(**_base(ticket, at, sequence, 1, more), **_left(more))


def commented(
    ticket: dict[str, Any], comment: Comment, at: datetime, *, sequence: str | None = "2", **more: Any
) -> TicketCommented:
    return TicketCommented(**_base(ticket, at, sequence, 1, more), comment=comment, **_left(more))


def solved(ticket: dict[str, Any], at: datetime, *, sequence: str | None = "2", **more: Any) -> TicketSolved:
    base = _base(ticket, at, sequence, 2, {"status": "solved"} | more)
    return TicketSolved(**base, solved_at=at, previous_status="open", **_left(more))


def base_of(ticket: dict[str, Any], at: datetime) -> dict[str, Any]:
    """The fields that every event of a ticket has."""
    return _base(ticket, at, "8", 1, {})


def moved(ticket: dict[str, Any], form_id: str, at: datetime) -> TicketUpdated:
    """The ticket has another form now, in the action of Ada's comment."""
    base = _base(ticket, at, "2", 2, {"form_id": form_id})
    return TicketUpdated(**base, zendesk_type="form_changed")


def made_private(ticket: dict[str, Any], comment_id: str, at: datetime) -> TicketUpdated:
    base = _base(ticket, at, "9", 1, {})
    changes = [Change(field="comment_id", after=comment_id)]
    return TicketUpdated(**base, zendesk_type="comment_made_private", changes=changes)


def said(number: str, body: str = "Have you tried this?", **more: Any) -> Comment:
    """Ada's public comment."""
    known = {"is_public": True, "author_id": ADA, "author_name": "Ada Agent", "author_is_agent": True}
    return Comment(**({"id": number, "body": body} | known | more))


def numbered(event: TicketEvent) -> TicketEvent:
    """The same news with another event id: what another road, or a duplicate, brings."""
    return event.model_copy(update={"id": f"event-{next(_numbers)}"})


_EVENT_FIELDS = ("road", "own_action", "actor_id")


def _base(
    ticket: dict[str, Any], at: datetime, sequence: str | None, position: int, more: dict[str, Any]
) -> dict[str, Any]:
    changes = {name: value for name, value in more.items() if name not in _EVENT_FIELDS}
    number = str(ticket["id"])
    return {
        "id": f"event-{next(_numbers)}",
        "source": "/zendesk/22129848",
        "time": at,
        "subject": number,
        "account_id": "22129848",
        "ticket_id": number,
        "version": version_of(at, at, position),
        "sequence_id": sequence,
        "sequence_position": position if sequence else None,
        "ticket": snapshot(ticket, **changes),
        "actor_id": more.get("actor_id", RITA if sequence == "1" else ADA),
    }


def _left(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if name in _EVENT_FIELDS and name != "actor_id"}


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
