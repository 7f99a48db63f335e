"""Event subscriptions: from Zendesk's types to our events (docs/vendors/zendesk.md#ticket-events). Pure.

`detail` gives the snapshot, `event` what happened. Only `detail.id` is required: real bodies come without
`meta`, with partial `detail`, lower-case words and ids as numbers.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from ingest.webhooks import fields
from supportops import contracts as c

Json = Mapping[str, object]
_ABSENT: Final = object()
Builder = Callable[["NativeEvent"], tuple[c.Event, ...]]


class Unreadable(Exception):
    """Ours, but not to be read: the body is parked with this reason."""


class NativeEvent(msgspec.Struct, frozen=True):
    """One body of an event subscription, its envelope read already."""

    name: str  # Zendesk's name without the domain: status_changed
    id: str  # event id
    subject_id: str  # ticket or organization id
    time: datetime
    base: dict[str, object]  # fields that every event of this body shares
    detail: Json
    event: Json
    fallback: datetime  # `updated_at` of the detail, else the event's time

    def make[E: c.Event](self, model: type[E], **values: object) -> E:
        return model.model_validate({**self.base, **values})


_TICKET_FIELDS: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "status": ("status", fields.as_word),
    "priority": ("priority", fields.as_word),
    "type": ("type", fields.as_word),
    "subject": ("subject", fields.as_text),
    "description": ("description", fields.as_text),
    "tags": ("tags", fields.as_tags),
    "is_public": ("is_public", fields.as_bool),
    "requester_id": ("requester_id", fields.as_id),
    "submitter_id": ("submitter_id", fields.as_id),
    "assignee_id": ("assignee_id", fields.as_id),
    "group_id": ("group_id", fields.as_id),
    "organization_id": ("organization_id", fields.as_id),
    "brand_id": ("brand_id", fields.as_id),
    "form_id": ("form_id", fields.as_id),
    "external_id": ("external_id", fields.as_text),
    "custom_status": ("custom_status_id", fields.as_id),
    "created_at": ("created_at", fields.as_moment),
    "updated_at": ("updated_at", fields.as_moment),
}
_ORGANIZATION_FIELDS: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "name": ("name", fields.as_text),
    "external_id": ("external_id", fields.as_text),
    "group_id": ("group_id", fields.as_id),
    "shared_tickets": ("shared_tickets", fields.as_bool),
    "shared_comments": ("shared_comments", fields.as_bool),
    "created_at": ("created_at", fields.as_moment),
    "updated_at": ("updated_at", fields.as_moment),
}
# Zendesk's `<name>_changed` types with `current` and `previous`, and our name of the field.
_CHANGED: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "priority_changed": ("priority", fields.as_word),
    "type_changed": ("type", fields.as_word),
    "subject_changed": ("subject", fields.as_text),
    "description_changed": ("description", fields.as_text),
    "custom_status_changed": ("custom_status_id", fields.as_id),
    "agent_assignment_changed": ("assignee_id", fields.as_id),
    "group_assignment_changed": ("group_id", fields.as_id),
    "organization_changed": ("organization_id", fields.as_id),
    "requester_changed": ("requester_id", fields.as_id),
    "submitter_changed": ("submitter_id", fields.as_id),
    "brand_changed": ("brand_id", fields.as_id),
    "form_changed": ("form_id", fields.as_id),
    "external_id_changed": ("external_id", fields.as_text),
    "task_due_at_changed": ("due_at", fields.as_text),
    "problem_link_changed": ("problem_id", fields.as_id),
    "name_changed": ("name", fields.as_text),
}
GONE: Final = frozenset({"deleted", "archived", "scrubbed"})
"""Statuses of tickets on which nobody works any more (docs/vendors/zendesk.md#ticket-events)."""
# Lists of what was added and what was taken away: (field, key of the added, key of the removed).
_LISTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "tags_changed": ("tags", "tags_added", "tags_removed"),
    "email_ccs_changed": ("email_ccs", "users_added", "users_removed"),
    "followers_changed": ("followers", "users_added", "users_removed"),
}


def snapshot(detail: Json, table: Mapping[str, tuple[str, Callable[[object], object]]]) -> dict[str, object]:
    """The fields that `detail` holds, under our names. What is absent stays absent; null stays null."""
    found: dict[str, object] = {}
    for key, (name, read) in table.items():
        raw = detail.get(key, _ABSENT)
        if raw is _ABSENT:
            continue
        value = read(raw)
        # What cannot be read is unknown; only null (and Zendesk's "" and "0") is known to be empty.
        if value is not None or raw in (None, "", "0", 0):
            found[name] = value
    return found


def ticket_snapshot(detail: Json) -> dict[str, object]:
    found = snapshot(detail, _TICKET_FIELDS)
    via = detail.get("via")
    channel = fields.as_word(via.get("channel") if isinstance(via, dict) else via)
    if channel is not None:
        found["via_channel"] = channel
    return found


def organization_snapshot(detail: Json) -> dict[str, object]:
    return snapshot(detail, _ORGANIZATION_FIELDS)


def _created(f: NativeEvent) -> tuple[c.Event, ...]:
    created = f.make(c.TicketCreated)
    if created.ticket.status != "solved":
        return (created,)
    solved = f.make(c.TicketSolved, id=f"{f.id}/solved", correlation_id=f.id, solved_at=f.fallback)
    return (created, solved)


def _status_changed(f: NativeEvent) -> tuple[c.Event, ...]:
    known = "status" in f.detail
    # A `current` that is no word (null, an object) says nothing: then the snapshot's status tells what it became.
    current = fields.as_word(f.event.get("current")) or fields.as_word(f.detail.get("status"))
    previous = fields.as_word(f.event.get("previous"))
    if not known and current is not None:
        f.base["ticket"] = {**fields.mapping(f.base["ticket"]), "status": current}
    if current is None or current == previous:
        return _updated(f, "status", fields.as_word)
    if current == "solved":
        return (f.make(c.TicketSolved, solved_at=f.fallback, previous_status=previous),)
    if current == "closed":
        return (f.make(c.TicketClosed, previous_status=previous),)
    if previous == "solved" and current not in GONE:
        return (f.make(c.TicketReopened, current_status=current),)
    return _updated(f, "status", fields.as_word)


def _comment_added(f: NativeEvent) -> tuple[c.Event, ...]:
    raw = fields.mapping(f.event.get("comment"))
    comment_id = fields.as_id(raw.get("id"))
    if comment_id is None:
        raise Unreadable("comment without id")
    author = fields.mapping(raw.get("author"))
    comment: dict[str, object] = {
        "id": comment_id,
        "body": fields.as_text(raw.get("body")),
        "is_public": raw.get("is_public") is True,
        "author_id": fields.as_id(author.get("id")),
        "author_is_agent": fields.as_bool(author.get("is_staff")),
        "author_name": fields.as_text(author.get("name")),
    }
    return (f.make(c.TicketCommented, comment=comment),)


def _rated(f: NativeEvent) -> tuple[c.Event, ...]:
    """A hint: keys are unconfirmed, so look in `satisfaction_score` and at the top.

    See docs/vendors/zendesk.md#rating-events.
    """
    rating = fields.mapping(f.event.get("satisfaction_score")) or f.event
    values: dict[str, object] = {}
    score = fields.as_word(rating.get("score"))
    if score is not None:
        values["score"] = next((word for word in ("good", "bad") if score.startswith(word)), score)
    if "comment" in rating:
        values["comment"] = fields.as_text(rating.get("comment"))
    return (f.make(c.TicketRated, **values),)


def _sla_changed(f: NativeEvent) -> tuple[c.Event, ...]:
    return (f.make(c.TicketSlaChanged, what=f.name),)


def _merged(f: NativeEvent) -> tuple[c.Event, ...]:
    target = fields.digits(f.event.get("target_ticket_id"))
    return (f.make(c.TicketMerged, target_ticket_id=target),)


def _soft_deleted(f: NativeEvent) -> tuple[c.Event, ...]:
    return (f.make(c.TicketDeleted, permanently=False),)


def _permanently_deleted(f: NativeEvent) -> tuple[c.Event, ...]:
    return (f.make(c.TicketDeleted, permanently=True),)


def _undeleted(f: NativeEvent) -> tuple[c.Event, ...]:
    return (f.make(c.TicketUndeleted),)


def _updated_model(f: NativeEvent) -> type[c.TicketUpdated] | type[c.OrganizationUpdated]:
    return c.TicketUpdated if "ticket_id" in f.base else c.OrganizationUpdated


def _updated(f: NativeEvent, field: str, read: Callable[[object], object]) -> tuple[c.Event, ...]:
    change: dict[str, object] = {"field": field}
    for ours, theirs in (("before", "previous"), ("after", "current")):
        if theirs in f.event:
            change[ours] = read(f.event[theirs])
    return (f.make(_updated_model(f), zendesk_type=f.name, changes=[change]),)


def _changed(f: NativeEvent) -> tuple[c.Event, ...]:
    return _updated(f, *_CHANGED[f.name])


def _list_changed(f: NativeEvent) -> tuple[c.Event, ...]:
    """For lists `after` holds what was added and `before` what was taken away."""
    field, added, removed = _LISTS[f.name]
    event = f.event
    if field == "tags" and added not in event:
        # organizations nest theirs (docs/vendors/zendesk.md#organization-events)
        event = {
            key: fields.mapping(event.get(part)).get("tags")
            for key, part in ((added, "added"), (removed, "removed"))
        }
    change = {
        "field": field,
        "before": fields.as_change(event.get(removed) or []),
        "after": fields.as_change(event.get(added) or []),
    }
    return (f.make(_updated_model(f), zendesk_type=f.name, changes=[change]),)


def _custom_field_changed(f: NativeEvent) -> tuple[c.Event, ...]:
    raw = fields.mapping(f.event.get("custom_field") or f.event.get("field"))  # tickets / organizations
    change: dict[str, object] = {"field": f"custom_fields.{fields.as_id(raw.get('id')) or '?'}"}
    for ours, theirs in (("before", "previous"), ("after", "current")):
        if theirs in f.event:
            side = f.event[theirs]
            change[ours] = fields.as_change(side.get("value") if isinstance(side, dict) else side)
    return (f.make(_updated_model(f), zendesk_type=f.name, changes=[change]),)


def _comment_changed(f: NativeEvent) -> tuple[c.Event, ...]:
    """Comments made private or redacted, attachments linked or redacted: which comment, and which file."""
    raw = fields.mapping(f.event.get("comment"))
    changes: list[dict[str, object]] = []
    if comment_id := fields.as_id(raw.get("id")):
        changes.append({"field": "comment_id", "after": comment_id})
    if file_id := fields.as_id(fields.mapping(raw.get("attachment")).get("id")):
        side = "before" if f.name == "attachment_redacted_from_comment" else "after"
        changes.append({"field": "attachment_id", side: file_id})
    return (f.make(c.TicketUpdated, zendesk_type=f.name, changes=changes),)


def _plain_update(f: NativeEvent) -> tuple[c.Event, ...]:
    return (f.make(_updated_model(f), zendesk_type=f.name),)


def _user_merged(f: NativeEvent) -> tuple[c.Event, ...]:
    other = fields.digits(fields.mapping(f.event.get("user")).get("id"))
    if other is None:
        raise Unreadable("no event.user.id")
    return (f.make(c.UserMerged, other_user_id=other),)


TICKET_TYPES: Final[Mapping[str, Builder]] = {
    "created": _created,
    "status_changed": _status_changed,
    "comment_added": _comment_added,
    "csat_requested": _rated,
    "csat_received": _rated,
    "next_sla_breach_changed": _sla_changed,
    "sla_policy_changed": _sla_changed,
    "ola_policy_changed": _sla_changed,
    "schedule_changed": _sla_changed,
    "merged": _merged,
    "soft_deleted": _soft_deleted,
    "permanently_deleted": _permanently_deleted,
    "undeleted": _undeleted,
    "custom_field_changed": _custom_field_changed,
    "comment_made_private": _comment_changed,
    "comment_redacted": _comment_changed,
    "attachment_linked_to_comment": _comment_changed,
    "attachment_redacted_from_comment": _comment_changed,
    "marked_as_spam": _plain_update,
    **dict.fromkeys(_LISTS, _list_changed),
    **dict.fromkeys((name for name in _CHANGED if name != "name_changed"), _changed),
}
USER_TYPES: Final[Mapping[str, Builder]] = {"merged": _user_merged}
ORGANIZATION_TYPES: Final[Mapping[str, Builder]] = {
    "created": lambda f: (f.make(c.OrganizationCreated),),
    "deleted": lambda f: (f.make(c.OrganizationDeleted),),
    "name_changed": _changed,
    "external_id_changed": _changed,
    "custom_field_changed": _custom_field_changed,
    "tags_changed": _list_changed,
}
TYPES: Final[Mapping[str, Mapping[str, Builder]]] = {
    "ticket": TICKET_TYPES,
    "organization": ORGANIZATION_TYPES,
    "user": USER_TYPES,
}
"""What we publish of, by domain and name."""
