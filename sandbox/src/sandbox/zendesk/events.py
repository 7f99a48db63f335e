"""Bodies of event subscriptions: ids as strings, enums upper case, nine fractional digits.

See docs/vendors/zendesk.md#event-bodies.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.clock import iso_nanos, iso_seconds
from sandbox.web import Json
from sandbox.zendesk.records import Comment, Organization, Ticket, User

PREFIX = "zen:event-type:"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that an action did: the event's name ("status_changed") and its `event` object."""

    name: str
    event: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it goes out; `body` is the bytes that are signed and sent, whatever the attempt."""

    id: str
    type: str
    record_id: int
    body: bytes


def sid(value: int | None) -> str | None:
    """An id as events carry it: a string of digits, or null."""
    return None if value is None else str(value)


def upper(value: str | None) -> str | None:
    return None if value is None else value.upper()


def ticket_detail(t: Ticket, actor_id: int) -> Json:
    return {
        "actor_id": str(actor_id),
        "assignee_id": sid(t.assignee_id),
        "brand_id": sid(t.brand_id),
        "created_at": iso_seconds(t.created_at),
        "custom_status": sid(t.custom_status_id),
        "description": t.description,
        "external_id": t.external_id,
        "form_id": sid(t.ticket_form_id),
        "group_id": sid(t.group_id),
        "id": str(t.id),
        "is_public": t.is_public,
        "organization_id": sid(t.organization_id),
        "priority": upper(t.priority),
        "requester_id": str(t.requester_id),
        "status": t.status.upper(),
        "subject": t.subject,
        "submitter_id": str(t.submitter_id),
        "tags": list(t.tags),
        "type": upper(t.type),
        "updated_at": iso_seconds(t.updated_at),
        "via": {"channel": "web_service" if t.via == "api" else t.via},
    }


def organization_detail(o: Organization) -> Json:
    return {
        "created_at": iso_seconds(o.created_at),
        "id": str(o.id),
        "name": o.name,
        "shared_comments": o.shared_comments,
        "shared_tickets": o.shared_tickets,
        "updated_at": iso_seconds(o.updated_at),
        "group_id": sid(o.group_id),
        "external_id": o.external_id,
    }


def user_detail(u: User) -> Json:
    """Missing values are not null here: `""` and `"0"` (docs/vendors/zendesk.md#organization-events)."""
    return {
        "created_at": iso_seconds(u.created_at),
        "email": u.email or "",
        "external_id": u.external_id or "",
        "default_group_id": "0",
        "id": str(u.id),
        "organization_id": str(u.organization_id or 0),
        "role": u.role,
        "updated_at": iso_seconds(u.updated_at),
    }


def comment_added(c: Comment, author: User) -> Happening:
    who = {"id": str(author.id), "is_staff": author.is_staff, "name": author.name}
    shown = {"id": str(c.id), "body": c.body, "html_body": c.html_body, "is_public": c.public, "author": who}
    return Happening("comment_added", {"comment": shown})


def changed(name: str, current: Any, previous: Any) -> Happening:
    return Happening(f"{name}_changed", {"current": current, "previous": previous})


def sequence_id(audit_id: int) -> str:
    """Digits written as hexadecimal ASCII: the form seen in samples; opaque to readers.

    See docs/vendors/zendesk.md#ticket-events.
    """
    return str(audit_id).encode().hex()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all events of one action share."""

    account_id: int
    domain: str
    record_id: int
    detail: Json
    audit_id: int | None
    at: int
    version: str = "2022-11-06"

    def event(self, happening: Happening, position: int) -> Event:
        event_id = str(uuid.uuid4())
        kind = f"{PREFIX}{self.domain}.{happening.name}"
        meta: Json = {}
        if self.audit_id is not None:
            meta = {"meta": {"sequence": {"id": sequence_id(self.audit_id), "position": position}}}
        body = {
            "account_id": self.account_id,
            "detail": self.detail,
            "event": happening.event | meta,
            "id": event_id,
            "subject": f"zen:{self.domain}:{self.record_id}",
            "time": iso_nanos(self.at + position),
            "type": kind,
            "zendesk_event_version": self.version,
        }
        raw = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return Event(event_id, kind, self.record_id, raw)
