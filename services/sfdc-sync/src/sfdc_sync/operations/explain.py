"""What sfdc-sync knows of a ticket (its newest state, its record, the calls between), an account or an organization."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.operations.organization_story import explained, story_of, subject_of
from sfdc_sync.tables import ticket_records, tickets
from sfdc_sync.ticket_records.state import TicketState
from supportops.operations.delivery_history import Row, calls_of_lane, rows_of
from supportops.operations.timeline import Explanation, Line, explanation, when


async def explain_ticket(conn: AsyncConnection, ticket_id: str, now: datetime, words: bool) -> Explanation:
    """The ticket's records as of `now`; `words`: with the values that events told, customers' texts among them."""
    ticket, record = (
        await _one(conn, tickets, ticket_id),
        _record(await _one(conn, ticket_records, ticket_id)),
    )
    calls = await calls_of_lane(conn, ticket_id, now)
    document: dict[str, Any] = {
        "ticket_id": ticket_id,
        "ticket": _shown(ticket, words=words),
        "record": record,
    }
    return explanation(calls, now, _standing(ticket, record), _lines(ticket, record), document)


async def _one(conn: AsyncConnection, table: Table, ticket_id: str) -> Row | None:
    rows = await rows_of(conn, select(table).where(table.c.ticket_id == ticket_id))
    return rows[0] if rows else None


def _record(row: Row | None) -> Row | None:
    return None if row is None else {**row, "remarks": orjson.loads(row["remarks"] or "[]")}


def _standing(ticket: Row | None, record: Row | None) -> dict[str, str]:
    standing = {"ticket": _ticket_words(ticket), "record": _record_words(ticket, record)}
    if record is not None:
        for name in ("account", "contact"):
            standing[name] = _match_words(record[f"{name}_id"], record[f"{name}_match"])
    return standing


def _match_words(found: str | None, rule: str | None) -> str:
    """Whom matching found, and by which rule."""
    if rule is None:
        return "not looked for"
    return f"{found}, by the rule {rule}" if found else f"none ({rule})"


def _ticket_words(ticket: Row | None) -> str:
    if ticket is None:
        return "no event of it was handled"
    if ticket["erased"]:
        return f"deleted for good in Zendesk, {when(ticket['changed_at'])}"
    status = TicketState.parse(ticket["state"]).fields().get("status")
    return f"{status or 'status unknown'}, revision {ticket['revision']} of {when(ticket['changed_at'])}"


def _record_words(ticket: Row | None, record: Row | None) -> str:
    if record is None:
        return "none written yet"
    if record["removed_at"] is not None:
        return f"{record['record_id']}, put into the recycle bin {when(record['removed_at'])}: its ticket was deleted"
    behind = ticket["revision"] - record["revision"] if ticket is not None else 0
    lag = f", {behind} revisions behind (only what `write_on` names is written)" if behind else ""
    return f"{record['record_id']}, revision {record['revision']} of {when(record['written_at'])}{lag}"


def _lines(ticket: Row | None, record: Row | None) -> Sequence[Line]:
    lines = []
    if ticket is not None:
        what = "erased" if ticket["erased"] else "last change heard of"
        lines.append(Line(ticket["changed_at"], what, f"revision {ticket['revision']}"))
    if record is not None:
        detail = f"{record['record_id']}, revision {record['revision']}"
        lines.append(Line(record["written_at"], "record written", "; ".join((detail, *record["remarks"]))))
        if record["removed_at"] is not None:
            lines.append(Line(record["removed_at"], "record removed", record["record_id"]))
    return lines


def _shown(ticket: Row | None, *, words: bool) -> dict[str, Any] | None:
    if ticket is None:
        return None
    known = TicketState.parse(ticket["state"]).fields()
    values = known if words else {name: known[name] for name in ("status", "solved_at") if name in known}
    return {name: value for name, value in ticket.items() if name != "state"} | {"fields": values}


async def explain_subject(conn: AsyncConnection, text: str, now: datetime, words: bool) -> Explanation:
    """The story of a ticket, an account or an organization.

    A Salesforce id is an account's. Digits are a ticket's, an organization's where no such ticket is known;
    `ticket:ID`, `organization:ID` and `account:ID` say which.
    """
    kind, _, key = text.strip().rpartition(":")
    about = subject_of(text)
    if about is None or kind == "ticket":
        return await explain_ticket(conn, key if kind == "ticket" else text, now, words)
    story = explained(await story_of(conn, about), now)
    if about.kind == "organization" and not kind:
        ticket = await explain_ticket(conn, key, now, words)
        return story if story.known and not ticket.known else ticket
    return story
