"""Everything that csat's database holds of one ticket, read for `csat explain` and the ticket's page."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from supportops.operations.delivery_history import Call, Row, calls_of_lane, rows_of


@dataclass(frozen=True)
class Timeline:
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


async def timeline_of(conn: AsyncConnection, ticket_id: str, now: datetime) -> Timeline:
    """The ticket's story as of `now`; not `known` where csat never heard of the ticket."""
    survey = await _one(conn, tables.surveys, ticket_id)
    return Timeline(
        ticket_id=ticket_id,
        now=now,
        clock=await _one(conn, tables.tickets, ticket_id),
        events=await _all(conn, tables.happenings, ticket_id, "happened_at"),
        decisions=await _all(conn, tables.decisions, ticket_id, "decided_at"),
        survey=survey,
        superseded=await _all(conn, tables.superseded_surveys, ticket_id, "superseded_at"),
        calls=await calls_of_lane(conn, ticket_id, now),
        answers=await _all(conn, tables.answers, ticket_id, "revision"),
        issue=await _one(conn, tables.issues, ticket_id),
        numbers=await _one(conn, tables.ticket_facts, ticket_id),
        requester=await _requester(conn, survey),
    )


async def _all(conn: AsyncConnection, table: Table, ticket_id: str, order: str) -> tuple[Row, ...]:
    query = select(table).where(table.c.ticket_id == ticket_id).order_by(table.c[order])
    return tuple(await rows_of(conn, query))


async def _one(conn: AsyncConnection, table: Table, ticket_id: str) -> Row | None:
    rows = await rows_of(conn, select(table).where(table.c.ticket_id == ticket_id))
    return rows[0] if rows else None


async def _requester(conn: AsyncConnection, survey: Row | None) -> Row | None:
    """What is known of the person whom the ticket's survey was meant for."""
    if survey is None or survey["requester_id"] is None:
        return None
    people = tables.requesters
    query = select(people).where(people.c.requester_id == survey["requester_id"])
    rows = await rows_of(conn, query)
    return rows[0] if rows else None
