"""What a perfect system would have seen: final ticket states and the facts that effects follow from."""

from collections import defaultdict

from sandbox.clock import iso_seconds
from sandbox.web import Json
from sandbox.zendesk.account import Action
from sandbox.zendesk.records import Comment, Rating, Ticket
from sandbox.zendesk.service import Zendesk


def expected(zendesk: Zendesk) -> Json:
    """`tickets` in the order of their creation, and the totals over them."""
    actions: dict[int, list[Action]] = defaultdict(list)
    for action in zendesk.actions:
        if action.domain == "ticket":
            actions[action.record_id].append(action)
    tickets = [_ticket(zendesk, t, actions[t.id]) for t in zendesk.account.records.tickets.values()]
    solved = [t for t in tickets if t["status"] == "solved"]
    totals = {
        "tickets": len(tickets),
        "solved_now": len(solved),
        "ever_solved": sum(1 for t in tickets if t["solves"]),
        "reopened": sum(1 for t in tickets if t["reopens"]),
        "public_comments": sum(len(t["public_comments"]) for t in tickets),
        "private_comments": sum(len(t["private_comments"]) for t in tickets),
        "feed_actions": sum(t["feed_actions"] for t in tickets),
        "events": sum(t["events"] for t in tickets),
    }
    return {"totals": totals, "tickets": tickets}


def _ticket(zendesk: Zendesk, ticket: Ticket, actions: list[Action]) -> Json:
    account = zendesk.account
    requester = account.records.users.get(ticket.requester_id)
    organization = account.records.organizations.get(ticket.organization_id or 0)
    form = account.records.forms.get(ticket.ticket_form_id or 0)
    ours, others = _split(ticket, account.integration_id)
    solved_at = ticket.solved_at if ticket.status in ("solved", "closed") else None
    return {
        "ticket_id": str(ticket.id),
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "tags": ticket.tags,
        "form": form.name if form else None,
        "requester_id": str(ticket.requester_id),
        "requester_email": requester.email if requester else None,
        "organization_id": str(organization.id) if organization else None,
        "organization_name": organization.name if organization else None,
        "created_at": iso_seconds(ticket.created_at),
        "updated_at": iso_seconds(ticket.updated_at),
        "solved_at": None if solved_at is None else iso_seconds(solved_at),
        "solves": [iso_seconds(at) for at in ticket.solves],
        "reopens": ticket.reopens,
        "merged_into": None if ticket.merged_into is None else str(ticket.merged_into),
        "rating": ticket.satisfaction.score if isinstance(ticket.satisfaction, Rating) else None,
        "public_comments": [str(c.id) for c in others if c.public],
        "private_comments": [str(c.id) for c in others if not c.public],
        "integration_comments": [str(c.id) for c in ours],
        "feed_actions": sum(1 for action in actions if _in_feed(action, ticket, account.integration_id)),
        "events": sum(len(action.events) for action in actions),
        "event_ids": [event.id for action in actions for event in action.events],
    }


def _split(ticket: Ticket, integration_id: int) -> tuple[list[Comment], list[Comment]]:
    """The integration's own comments, and everybody else's."""
    ours = [c for c in ticket.comments if c.author_id == integration_id]
    return ours, [c for c in ticket.comments if c.author_id != integration_id]


def _in_feed(action: Action, ticket: Ticket, integration_id: int) -> bool:
    """A creation, or somebody else's action with a public comment: what a feed shows (docs/rules.md N3)."""
    if action.actor_id == integration_id:
        return False
    if "created" in action.names:
        return ticket.comments[0].public
    said = {c.audit_id for c in ticket.comments if c.public}
    return "comment_added" in action.names and action.audit_id in said
