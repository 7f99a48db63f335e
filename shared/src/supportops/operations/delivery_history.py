"""What became of the calls that belong to one lane: state, attempts, answers, what they wait for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.tables import ENGINE, active

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A delivery: how it stands, its attempts (`at`, `attempt`, `kind`, `reason`), and what it waits for."""

    destination: str
    key: str
    state: str
    due_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    tries: int
    cause: str | None
    attempts: tuple[Row, ...]
    outcome: Row
    before: int
    """Calls of the same destination that are due and go first; 0 where it is not due yet."""
    paused_until: datetime | None
    """Until when the whole destination waits (quota, login)."""


async def calls_of_lane(conn: AsyncConnection, ticket_id: str, now: datetime) -> tuple[Call, ...]:
    """Unfinished calls and finished ones, each by an index of its own: a lane of csat and sfdc-sync is a ticket."""
    return await calls_where(conn, ENGINE.deliveries.c.lane == ticket_id, now)


async def calls_where(
    conn: AsyncConnection, condition: ColumnElement[bool], now: datetime
) -> tuple[Call, ...]:
    """The calls that a condition picks, in the order in which they were made."""
    d = ENGINE.deliveries
    kinds = (active(d), d.c.finished_at.is_not(None))
    queries = [select(d).where(kind, condition) for kind in kinds]
    found = {row["id"]: row for query in queries for row in await rows_of(conn, query)}
    ordered = sorted(found.values(), key=lambda row: (row["created_at"], row["position"]))
    return tuple([await _call(conn, row, now) for row in ordered])


async def rows_of(conn: AsyncConnection, query: Any) -> list[Row]:
    """Rows with names that are plain strings, as JSON wants them."""
    return [{str(name): row[name] for name in row} for row in (await conn.execute(query)).mappings()]


async def _call(conn: AsyncConnection, row: Row, now: datetime) -> Call:
    due = row["state"] == "waiting" and row["next_attempt_at"] <= now
    return Call(
        destination=row["destination"],
        key=row["key"],
        state=row["state"],
        due_at=row["due_at"],
        next_attempt_at=row["next_attempt_at"],
        finished_at=row["finished_at"],
        tries=row["attempts"],
        cause=orjson.loads(row["payload"]).get("cause"),
        attempts=tuple(orjson.loads(row["history"] or "[]")),
        outcome=orjson.loads(row["outcome"] or "{}"),
        before=await _before(conn, row) if due else 0,
        paused_until=await _paused(conn, row, now) if row["state"] == "waiting" else None,
    )


async def _before(conn: AsyncConnection, row: Row) -> int:
    """How many calls of the same destination have waited longer."""
    d = ENGINE.deliveries
    earlier = or_(
        d.c.next_attempt_at < row["next_attempt_at"],
        (d.c.next_attempt_at == row["next_attempt_at"]) & (d.c.position < row["position"]),
    )
    query = select(func.count()).where(active(d), d.c.destination == row["destination"], earlier)
    return int((await conn.execute(query)).scalar_one())


async def _paused(conn: AsyncConnection, row: Row, now: datetime) -> datetime | None:
    b = ENGINE.breakers
    waits = (b.c.destination == row["destination"], b.c.state != "closed", b.c.probe_at > now)
    moment: datetime | None = (await conn.execute(select(b.c.probe_at).where(*waits))).scalar()
    return moment
