"""People's actions in Zendesk: each is one action, whose events share one sequence."""

from typing import Any

from sandbox.web import Json
from sandbox.zendesk.account import SYSTEM_ACTOR
from sandbox.zendesk.events import Happening, upper
from sandbox.zendesk.records import Organization, Rating, Ticket, User
from sandbox.zendesk.seed import ADA, FORMS
from sandbox.zendesk.service import Zendesk
from sandbox.zendesk.sla_api import set_targets
from sandbox.zendesk.ticket_editor import EditResult

_CHANGES = (
    "status",
    "priority",
    "type",
    "subject",
    "assignee_id",
    "group_id",
    "organization_id",
    "requester_id",
    "ticket_form_id",
    "external_id",
    "custom_fields",
    "due_at",
)


class Unknown(Exception):
    """The control request names something that does not exist."""


class People:
    """Does what requesters, agents and automations do."""

    def __init__(self, zendesk: Zendesk) -> None:
        self._zendesk = zendesk
        self._account = zendesk.account
        self._editor = zendesk.editor

    def actor(self, who: Any, ticket: Ticket | None = None) -> int:
        """ "agent" (default: Ada), "requester", "system", "integration", an e-mail, or a user id."""
        if who in (None, "agent"):
            return (ticket.assignee_id if ticket else None) or ADA
        if who == "system":
            return SYSTEM_ACTOR
        if who == "integration":
            return self._account.integration_id
        if who == "requester" and ticket is not None:
            return ticket.requester_id
        found = self._account.user_by_email(str(who)) if "@" in str(who) else None
        key = found.id if found else int(who) if str(who).isdigit() else 0
        if key not in self._account.records.users:
            raise Unknown(f"no user {who!r}")
        return key

    def form_id(self, given: Any) -> int:
        """A form by id or by name (case-insensitive)."""
        for form in self._account.records.forms.values():
            if str(given).casefold() in (str(form.id), form.name.casefold()):
                return form.id
        raise Unknown(f"no form {given!r}; there are: {', '.join(FORMS)} and those you added")

    # --- tickets ---

    def create(self, values: Json) -> EditResult:
        """A ticket as its requester makes it; see docs/sandbox.md for the keys."""
        given = dict(values)
        given.setdefault(
            "comment", {"body": given.pop("description", "Please help."), "public": given.pop("public", True)}
        )
        if "form" in given:
            given["ticket_form_id"] = self.form_id(given.pop("form"))
        if "organization" in given:
            given["organization_id"] = self.organization(given.pop("organization")).id
        if given.get("status") in ("pending", "hold", "solved"):
            given.setdefault("assignee_id", ADA)
        given["requester_id"] = self._requester(given)
        who = given.pop("as", "requester")
        actor = given["requester_id"] if who == "requester" else self.actor(who)
        return self._editor.create(given, self._account.user(actor))

    def _requester(self, given: Json) -> int:
        """Known by id or e-mail; a new one joins the organization named for them, or for this ticket."""
        if given.get("requester_id"):
            return int(given["requester_id"])
        named = given.pop("requester", None) or {"email": "rita@groablet.example"}
        known = self._account.user_by_email(str(named.get("email", "")))
        if known is not None:
            return known.id
        name = str(named.get("name") or named.get("email") or "Somebody")
        home = named.get("organization") or named.get("organization_id") or given.get("organization_id")
        made = {"name": name, "email": named.get("email", "")} | ({"organization": home} if home else {})
        return self.add_user(made).id

    def act(self, ticket: Ticket, values: Json) -> EditResult:
        """Comment, status, tags and fields in one action.

        `comment` {"body", "public"} or text; `tags` {"add", "remove"} or the whole list; `as` is the actor.
        """
        actor = self.actor(values.get("as"), ticket)
        change = {key: values[key] for key in _CHANGES if key in values}
        if "form" in values:
            change["ticket_form_id"] = self.form_id(values["form"])
        if values.get("comment"):
            said = values["comment"]
            change["comment"] = (
                {"public": True, **said} if isinstance(said, dict) else {"body": said, "public": True}
            )
        if "tags" in values:
            change["tags"] = _tags(ticket, values["tags"])
        if change.get("status") == "solved" and ticket.assignee_id is None and "assignee_id" not in change:
            change["assignee_id"] = actor if actor > 0 else ADA
        return self._editor.update(ticket, change, actor)

    def rate(self, ticket: Ticket, values: Json) -> EditResult:
        """A legacy rating: `score` offered, good or bad, with `comment` and `reason`."""
        score = str(values.get("score", "good"))
        now = self._account.clock.now_ns()
        audit = self._editor.new_audit(ticket, self.actor(values.get("as", "requester"), ticket))
        if score == "offered":
            ticket.satisfaction = "offered"
            return self._editor.finish(ticket, audit, [Happening("csat_requested")])
        had = ticket.satisfaction
        made = Rating(
            had.id if isinstance(had, Rating) else self._account.ids.next("rating"),
            ticket.id,
            score,
            values.get("comment"),
            values.get("reason"),
            1000 if values.get("reason") else None,
            ticket.requester_id,
            ticket.assignee_id,
            ticket.group_id,
            had.created_at if isinstance(had, Rating) else now,
            now,
        )
        ticket.satisfaction = self._account.records.ratings[made.id] = made
        shown = {"score": upper(score), "comment": made.comment}
        return self._editor.finish(ticket, audit, [Happening("csat_received", {"satisfaction_score": shown})])

    def breach(self, ticket: Ticket, values: Json) -> EditResult:
        """Set the SLA targets (`policy_metrics` as REST shows them) and say that the next breach moved."""
        set_targets(self._account, ticket, values)
        audit = self._editor.new_audit(ticket, SYSTEM_ACTOR)
        before = ticket.updated_at
        done = self._editor.finish(ticket, audit, [Happening("next_sla_breach_changed")])
        ticket.updated_at = before  # the system's own change: only the export's timestamp moves
        return done

    # --- others ---

    def organization(self, given: Any) -> Organization:
        """By id or name; made when the name is new."""
        records = self._account.records.organizations
        found = (
            records.get(int(given))
            if str(given).isdigit()
            else self._account.organization_by_name(str(given))
        )
        return found or self.add_organization({"name": str(given)})

    def add_organization(self, values: Json) -> Organization:
        known = {key: value for key, value in values.items() if key in Organization.__slots__}
        known["id"] = int(known.get("id") or self._account.ids.next("organization"))
        return self._account.add_organization(Organization(**known))

    def add_user(self, values: Json) -> User:
        known = {key: value for key, value in values.items() if key in User.__slots__}
        known["id"] = int(known.get("id") or self._account.ids.next("user"))
        if values.get("organization"):
            known["organization_id"] = self.organization(values["organization"]).id
        known.setdefault("email", "")
        return self._account.add_user(User(**known))


def _tags(ticket: Ticket, given: Any) -> list[str]:
    if not isinstance(given, dict):
        return list(given)
    removed = set(given.get("remove", []))
    return [tag for tag in [*ticket.tags, *given.get("add", [])] if tag not in removed]
