"""Writes of tickets that run as jobs: update_many and merge.

See docs/vendors/zendesk.md#tickets.
"""

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.jobs import Jobs
from sandbox.zendesk.lifecycle import Lifecycle
from sandbox.zendesk.problems import Problem, at_most, too_many_values
from sandbox.zendesk.records import Ticket
from sandbox.zendesk.ticket_editor import TicketEditor


class BulkApi:
    def __init__(self, account: Account, editor: TicketEditor, jobs: Jobs, ledger: Ledger) -> None:
        self._account = account
        self._editor = editor
        self._jobs = jobs
        self._ledger = ledger
        self._life = Lifecycle(account, editor)

    def rows(self) -> list[RouteRow]:
        return [
            ("PUT", "/tickets/update_many", self.update_many),
            ("POST", "/tickets/{id}/merge", self.merge),
            ("DELETE", "/tickets/{id}", self.delete),
        ]

    def update_many(self, call: Call) -> Reply:
        """One `ticket` for all `ids`, with `additional_tags` and `remove_tags`; or `tickets` with their ids."""
        body = call.json()
        if "tickets" in body:
            updates = [(int(item.get("id", 0)), item) for item in body["tickets"]]
        else:
            updates = [(key, body.get("ticket", {})) for key in at_most(call.ids())]
        if len(updates) > 100:
            raise too_many_values("tickets")
        results = [self._one(index, key, values) for index, (key, values) in enumerate(updates)]
        return self._jobs.queue("Bulk Update Ticket", results)

    def merge(self, call: Call) -> Reply:
        target = self._account.ticket(call.number("id"))
        body = call.json()
        results = []
        for index, key in enumerate(body.get("ids", [])):
            source = self._account.ticket(int(key))
            self._life.merge(source, target, body, self._account.integration_id)
            self._ledger.add("zendesk.ticket.merged", ticket_id=source.id, target_id=target.id)
            results.append({"index": index, "id": source.id, "success": True})
        return self._jobs.queue("Ticket Merge", results)

    def delete(self, call: Call) -> Reply:
        ticket = self._account.ticket(call.number("id"))
        self._life.delete(ticket, self._account.integration_id)
        self._ledger.add("zendesk.ticket.deleted", ticket_id=ticket.id)
        return Reply(204)

    def _one(self, index: int, key: int, values: Json) -> Json:
        try:
            ticket = self._account.ticket(key)
            done = self._editor.update(ticket, _with_tags(ticket, values), self._account.integration_id)
        except Problem as problem:
            body = problem.reply.body
            return {
                "index": index,
                "id": key,
                "success": False,
                "error": body["error"],
                "details": body["description"],
            }
        self._ledger.add("zendesk.ticket.updated", ticket_id=key, fields=values, changed=done.moved)
        return {"index": index, "id": key, "success": True, "action": "update", "status": "Updated"}


def _with_tags(ticket: Ticket, values: Json) -> Json:
    added, removed = values.get("additional_tags", []), set(values.get("remove_tags", []))
    if not added and not removed:
        return values
    base = values.get("tags", ticket.tags)
    return values | {"tags": [tag for tag in [*base, *added] if tag not in removed]}
