"""The parts of one update: comment, fields, tags and custom fields, each noted in the audit and told as events."""

from collections.abc import Callable
from html import escape
from typing import Any

from sandbox.web import Json
from sandbox.zendesk import events
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening, changed, sid, upper
from sandbox.zendesk.records import Audit, Comment, Ticket, User
from sandbox.zendesk.rules import comment_text, custom_fields, tag_list

MAX_COMMENT = 65_536  # about 64 KiB, cut silently


def _same(value: Any) -> Any:
    return value


# REST key: (the event's name without "_changed", how the event shows a value)
FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "status": ("status", upper),
    "priority": ("priority", upper),
    "type": ("type", upper),
    "subject": ("subject", _same),
    "assignee_id": ("agent_assignment", sid),
    "group_id": ("group_assignment", sid),
    "organization_id": ("organization", sid),
    "requester_id": ("requester", sid),
    "brand_id": ("brand", sid),
    "ticket_form_id": ("form", sid),
    "external_id": ("external_id", _same),
    "custom_status_id": ("custom_status", sid),
    "due_at": ("task_due_at", _same),
    "problem_id": ("problem_link", sid),
}


class Changes:
    """Applies one update's parts to a ticket; each method returns what happened, in the events' order."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def apply(self, ticket: Ticket, values: Json, actor: User | None, audit: Audit) -> list[Happening]:
        happenings = self._comment(ticket, values, actor, audit)
        happenings += self._fields(ticket, values, audit)
        happenings += self._tags(ticket, values, audit)
        return happenings + self._custom(ticket, values, audit)

    def add_comment(self, ticket: Ticket, given: Json, author: User, audit: Audit) -> Comment:
        """`public` defaults to what the ticket's first comment set."""
        body = (comment_text(given) or "")[:MAX_COMMENT]
        public = bool(given.get("public", ticket.is_public))
        html = str(given.get("html_body") or f"<p>{escape(body)}</p>")
        number = self._account.ids.next("comment")
        comment = Comment(number, author.id, body, public, audit.created_at, audit.id, html)
        ticket.comments.append(comment)
        ticket.is_public = ticket.is_public or public
        shown = {"id": number, "type": "Comment", "author_id": author.id, "body": body, "public": public}
        audit.events.append(shown)
        return comment

    def note_birth(self, ticket: Ticket, audit: Audit) -> None:
        """What the ticket was created with; an audit of creation names fields as later ones name changes."""
        values = {key: getattr(ticket, key) for key in FIELDS} | {"tags": list(ticket.tags)}
        values |= {str(key): value for key, value in ticket.custom_fields.items()}
        for key, value in values.items():
            if value in (None, []):
                continue
            entry = {"id": audit.id + len(audit.events) + 1, "type": "Create", "field_name": key}
            audit.events.append(entry | {"value": value})

    def _comment(self, ticket: Ticket, values: Json, actor: User | None, audit: Audit) -> list[Happening]:
        given = values.get("comment")
        if isinstance(given, str):
            given = {"body": given}
        if given is None or comment_text(given) is None:
            return []
        author_id = given.get("author_id") or (actor.id if actor else self._account.integration_id)
        author = self._account.user(int(author_id))
        return [events.comment_added(self.add_comment(ticket, given, author, audit), author)]

    def _fields(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        happenings = []
        for key, (name, show) in FIELDS.items():
            before = getattr(ticket, key)
            if key not in values or values[key] == before:
                continue
            setattr(ticket, key, values[key])
            _note(audit, key, values[key], before)
            _keep_times(ticket, audit, key, before)
            happenings.append(changed(name, show(values[key]), show(before)))
        return happenings

    def _tags(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        """`tags` replaces; the event names what came and what went."""
        if "tags" not in values:
            return []
        before, after = list(ticket.tags), tag_list(values["tags"])
        added = [tag for tag in after if tag not in before]
        removed = [tag for tag in before if tag not in after]
        if not added and not removed:
            return []
        ticket.tags = after
        _note(audit, "tags", after, before)
        return [Happening("tags_changed", {"tags_added": added, "tags_removed": removed})]

    def _custom(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        happenings = []
        for key, value in custom_fields(values).items():
            before = ticket.custom_fields.get(key)
            if value == before:
                continue
            ticket.custom_fields[key] = value
            _note(audit, str(key), value, before)
            field = self._account.records.fields.get(key)
            shown = {
                "id": str(key),
                "title": field.title if field else "",
                "type": field.type if field else "text",
            }
            event = {"custom_field": shown, "current": {"value": value}, "previous": {"value": before}}
            happenings.append(Happening("custom_field_changed", event))
        return happenings


def _note(audit: Audit, key: str, value: Any, before: Any) -> None:
    entry = {"id": audit.id + len(audit.events) + 1, "type": "Change", "field_name": key}
    audit.events.append(entry | {"value": value, "previous_value": before})


def _keep_times(ticket: Ticket, audit: Audit, key: str, before: Any) -> None:
    """What metric sets tell: assigned, solved, reopened."""
    if key == "assignee_id":
        ticket.assigned_at = audit.created_at
    if key == "status" and ticket.status == "solved":
        ticket.solves.append(audit.created_at)
    if key == "status" and before == "solved" and ticket.status != "closed":
        ticket.reopens += 1
