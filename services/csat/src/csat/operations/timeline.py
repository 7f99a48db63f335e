"""Everything that csat's database holds of one ticket, read for `csat explain` and the ticket's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from supportops.delivery.claims import pause_name
from supportops.store.tables import active

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


@dataclass(frozen=True)
class Story:
    """One ticket. Rows are those of csat's tables, by column name; None: there is none."""

    ticket_id: str
    now: datetime
    clock: Row | None
    events: tuple[Row, ...]
    decisions: tuple[Row, ...]
    survey: Row | None
    superseded: tuple[Row, ...]
    calls: tuple[Call, ...]
    answers: tuple[Row, ...]
    issue: Row | None
    numbers: Row | None
    requester: Row | None

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        single = (self.clock, self.survey, self.issue, self.numbers)
        several = (self.events, self.decisions, self.calls, self.answers)
        return any(single) or any(several)


async def story_of(conn: AsyncConnection, ticket_id: str, now: datetime) -> Story:
    """The ticket's story as of `now`; not `known` where csat never heard of the ticket."""
    survey = await _one(conn, tables.surveys, ticket_id)
    return Story(
        ticket_id=ticket_id,
        now=now,
        clock=await _one(conn, tables.tickets, ticket_id),
        events=await _all(conn, tables.happenings, ticket_id, "happened_at"),
        decisions=await _all(conn, tables.decisions, ticket_id, "decided_at"),
        survey=survey,
        superseded=await _all(conn, tables.superseded_surveys, ticket_id, "superseded_at"),
        calls=await _calls(conn, ticket_id, now),
        answers=await _all(conn, tables.answers, ticket_id, "revision"),
        issue=await _one(conn, tables.issues, ticket_id),
        numbers=await _one(conn, tables.facts, ticket_id),
        requester=await _requester(conn, survey),
    )


async def _all(conn: AsyncConnection, table: Table, ticket_id: str, order: str) -> tuple[Row, ...]:
    query = select(table).where(table.c.ticket_id == ticket_id).order_by(table.c[order])
    return tuple(await _mappings(conn, query))


async def _one(conn: AsyncConnection, table: Table, ticket_id: str) -> Row | None:
    rows = await _mappings(conn, select(table).where(table.c.ticket_id == ticket_id))
    return rows[0] if rows else None


async def _requester(conn: AsyncConnection, survey: Row | None) -> Row | None:
    """What is known of the person whom the ticket's survey was meant for."""
    if survey is None or survey["requester_id"] is None:
        return None
    people = tables.requesters
    query = select(people).where(people.c.requester_id == survey["requester_id"])
    rows = await _mappings(conn, query)
    return rows[0] if rows else None


async def _calls(conn: AsyncConnection, ticket_id: str, now: datetime) -> tuple[Call, ...]:
    """Unfinished calls and finished ones, each by an index of its own: every lane of csat is a ticket."""
    d = tables.engine.deliveries
    kinds = (active(d), d.c.finished_at.is_not(None))
    queries = [select(d).where(kind, d.c.lane == ticket_id) for kind in kinds]
    found = {row["id"]: row for query in queries for row in await _mappings(conn, query)}
    ordered = sorted(found.values(), key=lambda row: (row["created_at"], row["position"]))
    return tuple([await _call(conn, row, now) for row in ordered])


async def _mappings(conn: AsyncConnection, query: Any) -> list[Row]:
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
    d = tables.engine.deliveries
    earlier = or_(
        d.c.next_attempt_at < row["next_attempt_at"],
        (d.c.next_attempt_at == row["next_attempt_at"]) & (d.c.position < row["position"]),
    )
    query = select(func.count()).where(active(d), d.c.destination == row["destination"], earlier)
    return int((await conn.execute(query)).scalar_one())


async def _paused(conn: AsyncConnection, row: Row, now: datetime) -> datetime | None:
    r = tables.engine.rates
    query = select(r.c.free_at).where(r.c.name == pause_name(row["destination"]), r.c.free_at > now)
    moment: datetime | None = (await conn.execute(query)).scalar()
    return moment
