"""What people and programs do to tickets, with Zendesk's own rules (zendesk.md 4.2 and 5).

One call is one action: it leaves one audit, and its events share one sequence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from sandbox.web import Json
from sandbox.zendesk import events
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening, changed, sid, upper
from sandbox.zendesk.problems import invalid
from sandbox.zendesk.records import PRIORITIES, STATUSES, TYPES, Audit, Comment, Ticket, User

MAX_COMMENT = 65_536  # about 64 KiB, cut silently


def _same(value: Any) -> Any:
    return value


# REST key: (the event's name without "_changed", how the event shows a value)
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
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
_ENUMS = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES}


@dataclass(frozen=True, slots=True)
class Done:
    """The audit of an action; `moved` is false when nothing changed."""

    ticket: Ticket
    audit: Audit
    moved: bool


class Desk:
    """Creates and changes tickets; every method publishes the events that follow."""

    def __init__(self, account: Account) -> None:
        self._account = account

    # --- create ---

    def create(self, values: Json, actor: User) -> Done:
        """A new ticket from REST keys; needs `comment`, takes `requester` or `requester_id`."""
        text = _comment_text(values.get("comment"))
        if text is None:
            raise invalid("base", "Description: cannot be blank")
        now = self._account.clock.now_ns()
        requester = self._requester(values, actor)
        ticket = self._blank(values, requester, actor, text)
        ticket.created_at = ticket.updated_at = ticket.generated_at = now
        self._check_values(values)
        for key in _FIELDS:
            if values.get(key) is not None:
                setattr(ticket, key, values[key])
        ticket.tags = _tags(values.get("tags", ticket.tags))
        ticket.custom_fields |= _custom(values)
        self._settle_new(ticket, values, now)
        return self._open_file(ticket, values["comment"], actor, now)

    def _blank(self, values: Json, requester: User, actor: User, text: str) -> Ticket:
        first = self._account.records
        ticket = Ticket(
            self._account.ids.next("ticket"),
            str(values.get("subject") or text[:80]),
            text,
            requester.id,
            int(values.get("submitter_id") or actor.id),
            organization_id=requester.organization_id,
            brand_id=next(iter(first.brands), None),
            ticket_form_id=next(iter(first.forms), None),
            custom_status_id=8447320465790,
            via=str(values.get("via", {}).get("channel", "api")),
            recipient=values.get("recipient"),
        )
        parent = self._account.records.tickets.get(int(values.get("via_followup_source_id") or 0))
        if parent is not None:  # a follow-up inherits its parent's tags unless tags are given
            ticket.via_followup_source_id = parent.id
            parent.followup_ids.append(ticket.id)
            ticket.tags = list(parent.tags)
        return ticket

    def _settle_new(self, ticket: Ticket, values: Json, now: int) -> None:
        if ticket.assignee_id is not None:
            ticket.assigned_at = now
            if "status" not in values:
                ticket.status = "open"
        if ticket.status == "solved":
            self._check_solve(ticket)
            ticket.solves.append(now)

    def _open_file(self, ticket: Ticket, comment: Json, actor: User, now: int) -> Done:
        audit = Audit(self._account.ids.next("audit"), ticket.id, actor.id, now, [])
        ticket.is_public = bool(comment.get("public", True))
        # The first comment is the requester's words, whoever typed it in.
        author = self._account.user(int(comment.get("author_id") or ticket.requester_id))
        self._add_comment(ticket, comment, author, audit)
        audit.events.append(
            {"id": audit.id + 1, "type": "Create", "field_name": "subject", "value": ticket.subject}
        )
        ticket.audits.append(audit)
        self._account.records.tickets[ticket.id] = ticket
        self._account.announce_ticket(ticket, actor.id, audit.id, [Happening("created")])
        return Done(ticket, audit, True)

    def _requester(self, values: Json, actor: User) -> User:
        if values.get("requester_id"):
            found = self._account.records.users.get(int(values["requester_id"]))
            if found is None:
                raise invalid("requester", "Requester: is invalid")
            return found
        named = values.get("requester")
        if not named:
            return actor
        known = self._account.user_by_email(str(named.get("email", "")))
        if known is not None:
            return known
        name = str(named.get("name") or named.get("email") or "Unknown")
        return self._account.add_user(User(self._account.ids.next("user"), name, str(named.get("email", ""))))

    # --- change ---

    def update(self, ticket: Ticket, values: Json, actor_id: int) -> Done:
        """Apply REST keys as one action; an update that changes nothing moves nothing and raises no event."""
        if ticket.status == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        self._check_values(values)
        actor = self._account.records.users.get(actor_id)
        wanted = self._with_rules(ticket, values, actor)
        audit = Audit(self._account.ids.next("audit"), ticket.id, actor_id, self._account.clock.now_ns(), [])
        if wanted.get("status") == "solved":
            self._check_solve(ticket, wanted)
        happenings = self._comment(ticket, wanted, actor, audit)
        happenings += self._change_fields(ticket, wanted, audit)
        happenings += self._change_tags(ticket, wanted, audit)
        happenings += self._change_custom(ticket, wanted, audit)
        return self.finish(ticket, audit, happenings)

    def finish(self, ticket: Ticket, audit: Audit, happenings: list[Happening]) -> Done:
        """Stamp the ticket and publish, when anything happened at all."""
        if happenings:
            ticket.updated_at = ticket.generated_at = audit.created_at
            ticket.audits.append(audit)
            self._account.announce_ticket(ticket, audit.author_id, audit.id, happenings)
        return Done(ticket, audit, bool(happenings))

    def new_audit(self, ticket: Ticket, actor_id: int) -> Audit:
        return Audit(self._account.ids.next("audit"), ticket.id, actor_id, self._account.clock.now_ns(), [])

    def _with_rules(self, ticket: Ticket, values: Json, actor: User | None) -> Json:
        """The system's ticket rules (zendesk.md 5): who reopens what, and what leaves `new`."""
        wanted = dict(values)
        comment = values.get("comment")
        customer = actor is not None and not actor.is_staff
        if "status" not in wanted and comment and customer and ticket.status in ("pending", "hold", "solved"):
            wanted["status"] = "open"
        if "status" not in wanted and wanted.get("assignee_id") and ticket.status == "new":
            wanted["status"] = "open"
        if wanted.get("status") == "new" and ticket.status != "new":
            raise invalid("status", "Status: cannot be set back to new")
        if wanted.get("priority", "") is None:
            del wanted["priority"]  # cannot be unset again
        return wanted

    def _comment(self, ticket: Ticket, values: Json, actor: User | None, audit: Audit) -> list[Happening]:
        given = values.get("comment")
        if given is None or _comment_text(given) is None:
            return []
        author_id = given.get("author_id") or (actor.id if actor else self._account.integration_id)
        author = self._account.user(int(author_id))
        comment = self._add_comment(ticket, given, author, audit)
        return [events.comment_added(comment, author)]

    def _add_comment(self, ticket: Ticket, given: Json, author: User, audit: Audit) -> Comment:
        body = (_comment_text(given) or "")[:MAX_COMMENT]
        public = bool(given.get("public", ticket.is_public))
        html = str(given.get("html_body") or f"<p>{escape(body)}</p>")
        number = self._account.ids.next("comment")
        comment = Comment(number, author.id, body, public, audit.created_at, audit.id, html)
        ticket.comments.append(comment)
        ticket.is_public = ticket.is_public or public
        shown = {"id": number, "type": "Comment", "author_id": author.id, "body": body, "public": public}
        audit.events.append(shown)
        return comment

    def _change_fields(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        happenings = []
        for key, (name, show) in _FIELDS.items():
            before = getattr(ticket, key)
            if key not in values or values[key] == before:
                continue
            setattr(ticket, key, values[key])
            self._note_change(ticket, audit, key, before)
            happenings.append(changed(name, show(values[key]), show(before)))
        return happenings

    def _note_change(self, ticket: Ticket, audit: Audit, key: str, before: Any) -> None:
        value = getattr(ticket, key)
        entry = {"id": audit.id + len(audit.events) + 1, "type": "Change", "field_name": key}
        audit.events.append(entry | {"value": value, "previous_value": before})
        if key == "assignee_id":
            ticket.assigned_at = audit.created_at
        if key == "status" and value == "solved":
            ticket.solves.append(audit.created_at)
        if key == "status" and before == "solved" and value != "closed":
            ticket.reopens += 1

    def _change_tags(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        if "tags" not in values:
            return []
        before, after = list(ticket.tags), _tags(values["tags"])
        added = [tag for tag in after if tag not in before]
        removed = [tag for tag in before if tag not in after]
        if not added and not removed:
            return []
        ticket.tags = after
        self._note_change(ticket, audit, "tags", before)
        return [Happening("tags_changed", {"tags_added": added, "tags_removed": removed})]

    def _change_custom(self, ticket: Ticket, values: Json, audit: Audit) -> list[Happening]:
        happenings = []
        for key, value in _custom(values).items():
            before = ticket.custom_fields.get(key)
            if value == before:
                continue
            ticket.custom_fields[key] = value
            field = self._account.records.fields.get(key)
            shown = {
                "id": str(key),
                "title": field.title if field else "",
                "type": field.type if field else "text",
            }
            event = {"custom_field": shown, "current": {"value": value}, "previous": {"value": before}}
            happenings.append(Happening("custom_field_changed", event))
            audit.events.append(
                {"type": "Change", "field_name": str(key), "value": value, "previous_value": before}
            )
        return happenings

    # --- refusals ---

    def _check_values(self, values: Json) -> None:
        for key, allowed in _ENUMS.items():
            value = values.get(key)
            if value is not None and value not in allowed:
                raise invalid(key, f"{key.capitalize()}: {value} is not valid", error="InvalidValue")
        for key in ("assignee_id", "requester_id"):
            if values.get(key) is not None and values[key] not in self._account.records.users:
                raise invalid(key.removesuffix("_id"), f"{key.removesuffix('_id').capitalize()}: is invalid")

    def _check_solve(self, ticket: Ticket, values: Json | None = None) -> None:
        values = values or {}
        if values.get("assignee_id", ticket.assignee_id) is None:
            raise invalid("base", "Assignee: is required when solving a ticket", error="BlankValue")
        held = ticket.custom_fields | _custom(values)
        for field in self._account.records.fields.values():
            if field.required and held.get(field.id) in (None, ""):
                text = f"{field.title}: is required when solving a ticket"
                raise invalid("base", text, ticket_field_id=field.id, error="BlankValue")


def _comment_text(given: Any) -> str | None:
    """The words of a comment object or string; None when there are none."""
    if isinstance(given, str):
        return given or None
    if not isinstance(given, dict):
        return None
    return str(given.get("body") or given.get("html_body") or "") or None


def _tags(value: Any) -> list[str]:
    words = value.split() if isinstance(value, str) else [str(tag) for tag in value or []]
    return sorted(dict.fromkeys(word.strip() for word in words if word.strip()))


def _custom(values: Json) -> dict[int, Any]:
    given = values.get("custom_fields") or values.get("fields") or []
    return {int(item["id"]): item.get("value") for item in given}
