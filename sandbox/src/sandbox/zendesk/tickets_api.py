"""REST for tickets, comments and tags (docs/vendors/zendesk.md#tickets). Each accepted write raises its events."""

from collections.abc import Iterable
from typing import Any

from sandbox.clock import iso_seconds
from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import at_most, conflict, rate_limited
from sandbox.zendesk.records import Ticket
from sandbox.zendesk.sla_api import sideloaded
from sandbox.zendesk.ticket_editor import EditResult, TicketEditor


class TicketsApi:
    """Handlers behind the middleware; the caller is always the integration user."""

    def __init__(self, account: Account, editor: TicketEditor, limits: Limits, ledger: Ledger) -> None:
        self._account = account
        self._editor = editor
        self._limits = limits
        self._ledger = ledger

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/tickets", self.index),
            ("POST", "/tickets", self.create),
            ("GET", "/tickets/show_many", self.show_many),
            ("GET", "/tickets/{id}", self.show),
            ("PUT", "/tickets/{id}", self.update),
            ("GET", "/tickets/{id}/comments", self.comments),
            ("GET", "/tickets/{id}/audits", self.audits),
            ("GET", "/tickets/{id}/metrics", self.metrics),
            ("GET", "/tickets/{id}/tags", self.tags),
            ("PUT", "/tickets/{id}/tags", self.add_tags),
            ("POST", "/tickets/{id}/tags", self.set_tags),
            ("DELETE", "/tickets/{id}/tags", self.remove_tags),
        ]

    # --- reading ---

    def show(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        return Reply(200, {"ticket": self._shown(ticket, call)} | self._sideloads([ticket], call))

    def show_many(self, call: Call) -> Reply:
        ids = at_most(call.ids())
        found = [self._account.records.tickets[i] for i in ids if i in self._account.records.tickets]
        return self._listed([t for t in found if t.status != "deleted"], call)

    def index(self, call: Call) -> Reply:
        """All tickets, oldest first; `external_id` narrows."""
        wanted = call.query.get("external_id")
        found = [
            t
            for t in self._account.records.tickets.values()
            if t.status != "deleted" and (wanted is None or t.external_id == wanted)
        ]
        page = page_of(call, self._account.base, "tickets", found, lambda t: self._shown(t, call))
        return Reply(200, page | self._sideloads(found[:100], call))

    def comments(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        newest_first = call.query.get("sort", call.query.get("sort_order", "")) in ("-created_at", "desc")
        found = ticket.comments[::-1] if newest_first else ticket.comments
        page = page_of(call, self._account.base, "comments", found, render.comment)
        if "users" in call.query.get("include", ""):
            authors = {c["author_id"] for c in page["comments"]}
            page["users"] = [render.user(self._account.base, self._account.user(a)) for a in sorted(authors)]
        return Reply(200, page)

    def audits(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        return Reply(200, page_of(call, self._account.base, "audits", ticket.audits, render.audit))

    def metrics(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        return Reply(200, {"ticket_metric": render.metric_set(self._account.base, ticket)})

    def _listed(self, tickets: list[Ticket], call: Call) -> Reply:
        body = {"tickets": [self._shown(t, call) for t in tickets], "count": len(tickets)}
        return Reply(200, body | {"next_page": None, "previous_page": None} | self._sideloads(tickets, call))

    def _shown(self, ticket: Ticket, call: Call) -> Json:
        shown = render.ticket(self._account.base, ticket)
        if "slas" in call.query.get("include", ""):
            shown |= sideloaded(self._account, ticket)
        return shown

    def _sideloads(self, tickets: Iterable[Ticket], call: Call) -> Json:
        return sideloads(self._account, tickets, call.query.get("include", ""))

    # --- writing ---

    def create(self, call: Call) -> Reply:
        values = call.json().get("ticket", {})
        done = self._editor.create(values, self._account.user(self._account.integration_id))
        self._ledger.add(
            "zendesk.ticket.created", ticket_id=done.ticket.id, external_id=done.ticket.external_id
        )
        return Reply(
            201, self._result(done), {"location": f"{self._account.base}/tickets/{done.ticket.id}.json"}
        )

    def update(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        self._limit_update(ticket)
        values = call.json().get("ticket", {})
        _check_stamp(ticket, values)
        done = self._editor.update(ticket, values, self._account.integration_id)
        self._note(done, values)
        return Reply(200, self._result(done), self._limits.update_header())

    def _limit_update(self, ticket: Ticket) -> None:
        for window, key in ((self._limits.updates, None), (self._limits.updates_per_ticket, ticket.id)):
            if (wait := window.take(key)) is not None:
                raise rate_limited(wait, endpoint=True)

    def _note(self, done: EditResult, values: Json) -> None:
        """Ledger: one line per comment, one for the other changes of the same call."""
        ticket = done.ticket
        if values.get("comment") and done.moved:
            said = ticket.comments[-1]
            facts = {
                "comment_id": said.id,
                "public": said.public,
                "author_id": said.author_id,
                "body": said.body,
            }
            self._ledger.add("zendesk.comment", ticket_id=ticket.id, **facts)
        changes = [event for event in done.audit.events if event["type"] == "Change"]
        if changes:
            fields = {event["field_name"]: event["value"] for event in changes}
            self._ledger.add("zendesk.ticket.updated", ticket_id=ticket.id, fields=fields)

    def _result(self, done: EditResult) -> Json:
        return {"ticket": render.ticket(self._account.base, done.ticket), "audit": render.audit(done.audit)}

    # --- tags ---

    def tags(self, call: Call) -> Reply:
        return Reply(200, {"tags": self._account.ticket(call.number("id")).tags})

    def add_tags(self, call: Call) -> Reply:
        return self._tag(call, lambda had, given: [*had, *given], "add", 200)

    def set_tags(self, call: Call) -> Reply:
        return self._tag(call, lambda _had, given: given, "set", 201)

    def remove_tags(self, call: Call) -> Reply:
        return self._tag(call, lambda had, given: [tag for tag in had if tag not in given], "remove", 200)

    def _tag(self, call: Call, combine: Any, how: str, status: int) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        self._limit_update(ticket)
        values = call.json()
        if how != "set":
            _check_stamp(ticket, values)
        given = [str(tag) for tag in values.get("tags", [])]
        done = self._editor.update(
            ticket, {"tags": combine(ticket.tags, given)}, self._account.integration_id
        )
        facts = {"how": how, "tags": given, "changed": done.moved, "now": list(ticket.tags)}
        self._ledger.add("zendesk.tags", ticket_id=ticket.id, **facts)
        return Reply(status, {"tags": ticket.tags}, self._limits.update_header())


def sideloads(account: Account, tickets: Iterable[Ticket], include: str) -> Json:
    """The top-level arrays that `include=` asks for."""
    names = set(include.split(","))
    tickets = list(tickets)
    extra: Json = {}
    if "users" in names:
        ids = {i for t in tickets for i in (t.requester_id, t.submitter_id, t.assignee_id) if i is not None}
        known = [account.records.users[i] for i in sorted(ids) if i in account.records.users]
        extra["users"] = [render.user(account.base, user) for user in known]
    if "organizations" in names:
        held = {t.organization_id for t in tickets}
        found = [o for key, o in account.records.organizations.items() if key in held]
        extra["organizations"] = [render.organization(account.base, o) for o in found]
    if "groups" in names:
        held = {t.group_id for t in tickets}
        groups = [group for key, group in account.records.groups.items() if key in held]
        extra["groups"] = [render.named(account.base, "groups", group) for group in groups]
    if "metric_sets" in names:
        extra["metric_sets"] = [render.metric_set(account.base, t) for t in tickets]
    return extra


def _check_stamp(ticket: Ticket, values: Json) -> None:
    """409 when a safe update was decided on an older ticket; `safe_update` comes as true or "true"."""
    if str(values.get("safe_update", "")).lower() != "true":
        return
    if values.get("updated_stamp") != iso_seconds(ticket.updated_at):
        raise conflict()
