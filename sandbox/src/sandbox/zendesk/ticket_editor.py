"""What people and programs do to tickets. One call is one action: one audit, and events that share one sequence."""

from dataclasses import dataclass

from sandbox.web import Json
from sandbox.zendesk.account import Account
from sandbox.zendesk.changes import FIELDS, Changes
from sandbox.zendesk.events import Happening
from sandbox.zendesk.problems import invalid
from sandbox.zendesk.records import Audit, Ticket, User
from sandbox.zendesk.rules import check_solve, check_values, comment_text, custom_fields, tag_list, with_rules

CUSTOM_STATUS = 8447320465790


@dataclass(frozen=True, slots=True)
class EditResult:
    """The audit of an action; `moved` is false when nothing changed."""

    ticket: Ticket
    audit: Audit
    moved: bool


class TicketEditor:
    """Creates and changes tickets; every method publishes the events that follow."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._changes = Changes(account)

    # --- create ---

    def create(self, values: Json, actor: User) -> EditResult:
        """A new ticket from REST keys; needs `comment` (or `description`), takes `requester` or `requester_id`."""
        comment = values.get("comment") or values.get("description")
        text = comment_text(comment)
        if text is None:
            raise invalid("base", "Description: cannot be blank")
        check_values(self._account, values)
        ticket = self._blank(values, self._requester(values, actor), actor, text)
        for key in FIELDS:
            if values.get(key) is not None:
                setattr(ticket, key, values[key])
        ticket.tags = tag_list(values.get("tags", ticket.tags))
        ticket.custom_fields |= custom_fields(values)
        self._settle_new(ticket, values)
        return self._open_file(ticket, comment if isinstance(comment, dict) else {"body": text}, actor)

    def _blank(self, values: Json, requester: User, actor: User, text: str) -> Ticket:
        records, now = self._account.records, self._account.clock.now_ns()
        ticket = Ticket(
            self._account.ids.next("ticket"),
            str(values.get("subject") or text[:80]),
            text,
            requester.id,
            int(values.get("submitter_id") or actor.id),
            organization_id=requester.organization_id,
            brand_id=next(iter(records.brands), None),
            ticket_form_id=next(iter(records.forms), None),
            custom_status_id=CUSTOM_STATUS,
            via=str(values.get("via", {}).get("channel", "api")),
            recipient=values.get("recipient"),
            created_at=now,
            updated_at=now,
            generated_at=now,
        )
        parent = records.tickets.get(int(values.get("via_followup_source_id") or 0))
        if parent is not None:  # a follow-up inherits its parent's tags unless tags are given
            ticket.via_followup_source_id = parent.id
            parent.followup_ids.append(ticket.id)
            ticket.tags = list(parent.tags)
        return ticket

    def _settle_new(self, ticket: Ticket, values: Json) -> None:
        if ticket.assignee_id is not None:
            ticket.assigned_at = ticket.created_at
            if "status" not in values:
                ticket.status = "open"
        if ticket.status == "solved":
            check_solve(self._account, ticket, values)
            ticket.solves.append(ticket.created_at)

    def _open_file(self, ticket: Ticket, comment: Json, actor: User) -> EditResult:
        audit = self.new_audit(ticket, actor.id)
        audit.created_at = ticket.created_at
        ticket.is_public = bool(comment.get("public", True))
        # The first comment is the requester's words, whoever typed it in.
        author = self._account.user(int(comment.get("author_id") or ticket.requester_id))
        self._changes.add_comment(ticket, comment, author, audit)
        audit.rel = "follow_up" if ticket.via_followup_source_id else None
        self._changes.note_birth(ticket, audit)
        ticket.audits.append(audit)
        self._account.records.tickets[ticket.id] = ticket
        self._account.announce_ticket(ticket, actor.id, audit.id, [Happening("created")])
        return EditResult(ticket, audit, True)

    def _requester(self, values: Json, actor: User) -> User:
        if values.get("requester_id"):
            return self._account.records.users[int(values["requester_id"])]
        named = values.get("requester")
        if not named:
            return actor
        known = self._account.user_by_email(str(named.get("email", "")))
        if known is not None:
            return known
        name = str(named.get("name") or named.get("email") or "Unknown")
        return self._account.add_user(User(self._account.ids.next("user"), name, str(named.get("email", ""))))

    # --- change ---

    def update(self, ticket: Ticket, values: Json, actor_id: int) -> EditResult:
        """Apply REST keys as one action; an update that changes nothing moves nothing and raises no event."""
        if ticket.status == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        check_values(self._account, values)
        actor = self._account.records.users.get(actor_id)
        wanted = with_rules(ticket, values, actor)
        if wanted.get("status") == "solved" and ticket.status != "solved":
            check_solve(self._account, ticket, wanted)
        audit = self.new_audit(ticket, actor_id)
        return self.finish(ticket, audit, self._changes.apply(ticket, wanted, actor, audit))

    def new_audit(self, ticket: Ticket, actor_id: int) -> Audit:
        return Audit(self._account.ids.next("audit"), ticket.id, actor_id, self._account.clock.now_ns(), [])

    def finish(self, ticket: Ticket, audit: Audit, happenings: list[Happening]) -> EditResult:
        """Stamp the ticket and publish, when anything happened at all."""
        if happenings:
            ticket.updated_at = ticket.generated_at = audit.created_at
            ticket.audits.append(audit)
            self._account.announce_ticket(ticket, audit.author_id, audit.id, happenings)
        return EditResult(ticket, audit, bool(happenings))
