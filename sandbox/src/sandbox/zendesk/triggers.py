"""Bodies that an admin typed, with the placeholders filled in, and when their triggers fire.

See docs/vendors/zendesk.md#trigger-bodies.
"""

from collections.abc import Callable
from typing import Any

import orjson

from sandbox.clock import iso_seconds
from sandbox.zendesk.account import Account, Action
from sandbox.zendesk.records import Rating, Ticket

# What triggers can be connected to a webhook, and which actions fire them.
CONDITIONS: dict[str, Callable[[Action], bool]] = {
    "ticket-created": lambda action: "created" in action.names,
    "ticket-updated": lambda action: "created" not in action.names,
    "ticket-solved": lambda action: _solved(action),
    "ticket-commented": lambda action: "comment_added" in action.names,
    "csat-received": lambda action: "csat_received" in action.names,
}


def fired(names: list[str], action: Action) -> list[str]:
    """Which of the connected triggers this action on a ticket fires."""
    if action.domain != "ticket" or action.ticket is None:
        return []
    return [name for name in names if CONDITIONS[name](action)]


def body_of(trigger: str, account: Account, ticket: Ticket, actor_id: int) -> bytes:
    """The agreed body: strings only, display text for enums, `""` for what is absent, no free text."""
    organization = account.records.organizations.get(ticket.organization_id or 0)
    form = account.records.forms.get(ticket.ticket_form_id or 0)
    fields = organization.organization_fields if organization else {}
    values: dict[str, Any] = {
        "schema": "trigger.v1",
        "trigger": trigger,
        "ticket_id": str(ticket.id),
        "ticket_status": "On-hold" if ticket.status == "hold" else ticket.status.capitalize(),
        "ticket_priority": (ticket.priority or "").capitalize(),
        "ticket_form": form.name if form else "",
        "tags": " ".join(ticket.tags),
        "via": "Web Service" if ticket.via == "api" else ticket.via.capitalize(),
        "requester_id": str(ticket.requester_id),
        "organization_id": str(organization.id) if organization else "",
        "organization_external_id": (organization.external_id or "") if organization else "",
        "salesforce_account_id": str(fields.get("salesforce_id") or ""),
        "rating": ticket.satisfaction.score.capitalize() if isinstance(ticket.satisfaction, Rating) else "",
        "current_user_id": str(actor_id),
        "updated_at": iso_seconds(ticket.updated_at),
    }
    return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _solved(action: Action) -> bool:
    solved = action.ticket is not None and action.ticket.status == "solved"
    return solved and ("status_changed" in action.names or "created" in action.names)
