"""What csat's database holds, read back by tests, ways to put something there, and a naive count beside the tally."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, select

from csat import tables
from csat.kpi import queries, ticket_facts
from csat.kpi.aggregation import tally_batch
from csat.kpi.filters import DIMENSIONS, View
from csat.kpi.measures import Counts
from csat.surveys import repository
from csat.surveys.repository import Survey
from supportops.contracts import Event, decode
from supportops.store import Store
from supportops.store.outbox import unpack_headers


async def promised(store: Store) -> list[Event]:
    """The events that wait in the outbox, oldest first."""
    outbox = tables.engine.outbox
    async with store.reading() as conn:
        rows = (await conn.execute(select(outbox).order_by(outbox.c.id))).all()
    return [decode(unpack_headers(row.headers), row.value) for row in rows]


async def deliveries(store: Store, destination: str) -> dict[str, Any]:
    """The deliveries of a destination by key."""
    table = tables.engine.deliveries
    async with store.reading() as conn:
        rows = (await conn.execute(select(table).where(table.c.destination == destination))).all()
    return {row.key: row for row in rows}


async def rows_of(store: Store, table: Any) -> list[Any]:
    """Every row of a table."""
    async with store.reading() as conn:
        return list((await conn.execute(select(table))).all())


async def sent_survey(store: Store, ticket_id: str, solved_at: datetime) -> Survey:
    """A survey that was asked a moment ago."""
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, ticket_id, solved_at, "5")
        await repository.record_sent(tx, survey, tx.now)
    return survey


def payload_of(row: Any) -> dict[str, Any]:
    """The payload of a delivery row."""
    loaded: dict[str, Any] = orjson.loads(row.payload)
    return loaded


def on(dialect: str) -> pytest.MarkDecorator:
    """One database is enough where the other one cannot make a difference."""
    return pytest.mark.parametrize("dialect", [dialect])


TABLES = (tables.ticket_facts, tables.counted, tables.tally, tables.cells)


async def note(store: Store, ticket_id: str, **values: Any) -> None:
    """One transaction that notes something of a ticket."""
    async with store.transaction() as tx:
        await ticket_facts.note(tx, ticket_id, **values)


async def tallied(store: Store, zone: tzinfo, batch: int = 100) -> None:
    """Count until nothing is left."""
    while await tally_batch(store, zone, batch):
        pass


async def forget_all(store: Store) -> None:
    """An empty history."""
    async with store.transaction() as tx:
        for table in TABLES:
            await tx.conn.execute(delete(table))


def naive(facts: list[Any], view: View, zone: tzinfo, key: Callable[[Any, date], Any]) -> dict[Any, Counts]:
    """Counts of the view by whatever `key` says of a row of `ticket_facts` and its day."""
    found: dict[Any, Counts] = defaultdict(Counts)
    for row in facts:
        moment = row.solved_at or (row.rated_at if row.score else None)
        if moment is None:
            continue
        day = moment.astimezone(zone).date()
        chosen = all(value_of(row, name) == value for name, value in view.filters)
        if chosen and view.since <= day < view.until:
            asked = bool(row.asked_at or row.score)
            counts = Counts(1, row.decided or asked, asked, row.score == "good", row.score == "bad")
            found[key(row, day)] += counts
    return dict(found)


def value_of(row: Any, dimension: str) -> str:
    """What a row of facts is under a dimension."""
    return str(getattr(row, "group_name" if dimension == "group" else dimension))


async def assert_equals_naive(store: Store, view: View, zone: tzinfo) -> None:
    """Every answer of `queries` is what plain loops over `facts` find."""
    async with store.reading() as conn:
        weekly = await queries.everything(conn, view, "week")
        monthly = await queries.trend(conn, view, "month")
        total = await queries.totals(conn, view)
        facts = list((await conn.execute(select(tables.ticket_facts))).all())
    expected = naive(facts, view, zone, lambda _row, _day: "")
    assert weekly.totals == total == expected.get("", Counts())
    for name in DIMENSIONS:
        by_value = naive(facts, view, zone, lambda row, _day, name=name: value_of(row, name))  # type: ignore[misc]
        assert weekly.breakdowns[name] == by_value
        assert set(by_value) <= set(weekly.choices[name])
    weeks = naive(facts, view, zone, lambda _row, day: day - timedelta(days=day.weekday()))
    months = naive(facts, view, zone, lambda _row, day: day.replace(day=1))
    assert {day: counts for day, counts in weekly.trend if counts.solved} == weeks
    assert {day: counts for day, counts in monthly if counts.solved} == months
