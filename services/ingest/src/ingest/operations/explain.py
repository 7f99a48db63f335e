"""What ingest knows of a ticket: each webhook, its road, what became of it, and what waits for the broker."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.tables import engine, webhooks
from supportops.operations.delivery_history import Row, rows_of
from supportops.operations.timeline import Explanation, Line, explanation, span, when

_ROADS = {"event": "native", "trigger": "trigger", "body": "unreadable"}


async def explain_ticket(conn: AsyncConnection, ticket_id: str, now: datetime, words: bool) -> Explanation:
    """The ticket's webhooks as of `now`; `words`: with their bodies."""
    columns = [c for c in webhooks.c if words or c.name not in ("body", "headers")]
    query = select(*columns).where(webhooks.c.ticket_id == ticket_id)
    received = await rows_of(conn, query.order_by(webhooks.c.received_at, webhooks.c.key))
    unpublished = await _unpublished(conn, ticket_id)
    standing = {"webhooks": _counts(received), "events": _waiting(unpublished, now)}
    document: dict[str, Any] = {
        "ticket_id": ticket_id,
        "webhooks": [_readable(row) | {"road": road_of(row["key"])} for row in received],
        "unpublished": unpublished,
    }
    return explanation((), now, standing, [_line(row) for row in received], document)


async def _unpublished(conn: AsyncConnection, ticket_id: str) -> list[Row]:
    """Events that the broker has not acknowledged: the key of a ticket's events is its id."""
    outbox = engine.outbox.c
    query = select(outbox.id, outbox.topic, outbox.created_at).where(outbox.key == ticket_id.encode())
    return await rows_of(conn, query.order_by(outbox.id))


def road_of(key: str) -> str:
    """By which road a webhook came, as its key tells (`account:event:…`, `account:trigger:…`)."""
    return _ROADS.get(key.split(":", 2)[1] if ":" in key else "", "unknown")


def _line(row: Row) -> Line:
    again = f", came {row['duplicates']} times more" if row["duplicates"] else ""
    reason = f": {row['reason']}" if row["reason"] else ""
    what = f"webhook {row['disposition']}{reason}"
    return Line(row["received_at"], what, f"{row['kind']} by {road_of(row['key'])}{again} ({row['key']})")


def _counts(received: Sequence[Row]) -> str:
    found: dict[str, int] = {}
    for row in received:
        found[row["disposition"]] = found.get(row["disposition"], 0) + 1
    told = ", ".join(f"{number} {name}" for name, number in sorted(found.items()))
    return f"{told}; last {when(received[-1]['received_at'])}" if received else "none"


def _waiting(unpublished: Sequence[Row], now: datetime) -> str:
    if not unpublished:
        return "all published"
    return f"{len(unpublished)} wait for the broker since {span(now - unpublished[0]['created_at'])}"


def _readable(row: Row) -> dict[str, Any]:
    body = row.get("body")
    return dict(row) | ({"body": body.decode("utf-8", "backslashreplace")} if body is not None else {})
