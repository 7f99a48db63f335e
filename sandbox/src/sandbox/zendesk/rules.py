"""Zendesk's own ticket rules (docs/vendors/zendesk.md#tickets): what is refused, and what changes by itself."""

from typing import Any

from sandbox.web import Json
from sandbox.zendesk.account import Account
from sandbox.zendesk.problems import invalid
from sandbox.zendesk.records import PRIORITIES, STATUSES, TYPES, Ticket, User

_ENUMS = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES}


def check_values(account: Account, values: Json) -> None:
    """422 for an enum value or a person that does not exist."""
    for key, allowed in _ENUMS.items():
        value = values.get(key)
        if value is not None and value not in allowed:
            raise invalid(key, f"{key.capitalize()}: {value} is not valid", error="InvalidValue")
    for key in ("assignee_id", "requester_id"):
        if values.get(key) is not None and values[key] not in account.records.users:
            name = key.removesuffix("_id")
            raise invalid(name, f"{name.capitalize()}: is invalid")


def check_solve(account: Account, ticket: Ticket, values: Json) -> None:
    """422 when a ticket that is being solved lacks its assignee or a required field."""
    if values.get("assignee_id", ticket.assignee_id) is None:
        raise invalid("base", "Assignee: is required when solving a ticket", error="BlankValue")
    held = ticket.custom_fields | custom_fields(values)
    for field in account.records.fields.values():
        if field.required and held.get(field.id) in (None, ""):
            text = f"{field.title}: is required when solving a ticket"
            raise invalid("base", text, ticket_field_id=field.id, error="BlankValue")


def with_rules(ticket: Ticket, values: Json, actor: User | None) -> Json:
    """The update as the system understands it: who reopens what, and what leaves `new`.

    A customer's comment reopens a pending, held or solved ticket; an agent's does not. A priority cannot be unset.
    """
    wanted = dict(values)
    customer = actor is not None and not actor.is_staff
    if (
        "status" not in wanted
        and values.get("comment")
        and customer
        and ticket.status in ("pending", "hold", "solved")
    ):
        wanted["status"] = "open"
    if "status" not in wanted and wanted.get("assignee_id") and ticket.status == "new":
        wanted["status"] = "open"
    if wanted.get("status") == "new" and ticket.status != "new":
        raise invalid("status", "Status: cannot be set back to new")
    if wanted.get("priority", "") is None:
        del wanted["priority"]
    return wanted


def comment_text(given: Any) -> str | None:
    """The words of a comment object or string; None when there are none."""
    if isinstance(given, str):
        return given or None
    if not isinstance(given, dict):
        return None
    return str(given.get("body") or given.get("html_body") or "") or None


def tag_list(value: Any) -> list[str]:
    """Sorted, without repeats; also from a space-separated string."""
    words = value.split() if isinstance(value, str) else [str(tag) for tag in value or []]
    return sorted(dict.fromkeys(word.strip() for word in words if word.strip()))


def custom_fields(values: Json) -> dict[int, Any]:
    """`custom_fields` and `fields` are two names for the same list."""
    given = values.get("custom_fields") or values.get("fields") or []
    return {int(item["id"]): item.get("value") for item in given}
