"""Ends and returns of tickets: merge, delete, bring back (docs/vendors/zendesk.md#ticket-events)."""

from sandbox.web import Json
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening
from sandbox.zendesk.problems import invalid, not_found
from sandbox.zendesk.records import Ticket
from sandbox.zendesk.ticket_editor import EditResult, TicketEditor

MERGED_TAG = "close_by_merge"  # docs/rules.md C5's spelling; Zendesk's own marker is unconfirmed


class Lifecycle:
    def __init__(self, account: Account, editor: TicketEditor) -> None:
        self._account = account
        self._editor = editor

    def merge(self, source: Ticket, target: Ticket, values: Json, actor_id: int) -> EditResult:
        """Both get a comment, private unless told; the source is tagged, closed and says where it went."""
        if source is target:
            raise invalid("base", "A ticket cannot be merged into itself")
        said = {
            "body": str(
                values.get("target_comment")
                or f"Request #{source.id} was closed and merged into this request."
            ),
            "public": bool(values.get("target_comment_is_public", False)),
        }
        self._editor.update(target, {"comment": said}, actor_id).audit.rel = "merge"
        parting = {
            "body": str(
                values.get("source_comment")
                or f"This request was closed and merged into request #{target.id}."
            ),
            "public": bool(values.get("source_comment_is_public", False)),
        }
        change = {"comment": parting, "status": "closed", "tags": [*source.tags, MERGED_TAG]}
        closed = self._editor.update(source, change, actor_id)
        closed.audit.rel = "merge"
        source.merged_into = target.id
        audit = self._editor.new_audit(source, actor_id)
        audit.created_at = closed.audit.created_at
        return self._editor.finish(source, audit, [Happening("merged", {"target_ticket_id": str(target.id)})])

    def delete(self, ticket: Ticket, actor_id: int, *, forever: bool = False) -> EditResult:
        """From now on REST answers 404; the export still shows it as deleted."""
        if ticket.status == "deleted" and not forever:
            raise not_found()
        ticket.status = "deleted"
        audit = self._editor.new_audit(ticket, actor_id)
        name = "permanently_deleted" if forever else "soft_deleted"
        return self._editor.finish(ticket, audit, [Happening(name)])

    def undelete(self, ticket: Ticket, actor_id: int) -> EditResult:
        if ticket.status != "deleted":
            raise invalid("status", "Status: is not deleted")
        ticket.status = "open"
        return self._editor.finish(ticket, self._editor.new_audit(ticket, actor_id), [Happening("undeleted")])
