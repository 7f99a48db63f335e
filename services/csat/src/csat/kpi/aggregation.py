"""Keeps `counted`, `tally` and `cells` up to date: what was noted in `facts` is counted within a second or two.

A batch takes facts that changed, subtracts what each ticket counted as and adds what it counts as now, in one
transaction: after a crash nothing of it has happened. Rows that somebody else holds are left for the next batch, so any
number of replicas may run this (decision 0071).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta, tzinfo
from functools import cache
from typing import Any

from sqlalchemy import Row, Table, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError

from csat import tables
from csat.kpi.buckets import COLUMNS, COUNTERS, Counted, counted_as
from csat.kpi.filters import DIMENSIONS
from csat.kpi.measures import Counts
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.store.key_lookup import POSTGRES, among, as_parameter
from supportops.store.upsert import Insert, insert_for

BATCH = 2_000
PAGE = 5_000  # of a recount
EVERY = timedelta(seconds=1)

log = get_logger("csat.kpi")

type Changes = dict[tuple[Any, ...], list[int]]

_facts, _counted = tables.ticket_facts, tables.counted
_READ = [_facts.c[name] for name in ("ticket_id", "solved_at", "decided", "asked_at", "score", "has_comment")]
_READ += [_facts.c.rated_at, *(_facts.c[COLUMNS[name]] for name in DIMENSIONS)]
_STALE = (
    select(*_READ)
    .where(_facts.c.stale)
    .order_by(_facts.c.ticket_id)
    .limit(bindparam("batch"))
    .with_for_update(skip_locked=True)
)
_UNSOLVED = _facts.c.solved_at.is_(None) & _facts.c.score.is_not(None)
_IS_STALE = select(exists().where(_facts.c.stale))
_KEYS = {
    tables.tally: ("dimension_a", "value_a", "dimension_b", "period", "value_b"),
    tables.cells: ("period", *(COLUMNS[name] for name in DIMENSIONS)),
}


class Tallying:
    """The component that counts."""

    name = "tallying"

    def __init__(self, store: Store, zone: tzinfo, batch: int = BATCH) -> None:
        self._store = store
        self._zone = zone
        self._batch = batch
        self._failures = LimitedWarnings(log)

    async def run(self, stopping: asyncio.Event) -> None:
        """Look each second whether something is to be counted; trouble with the database is waited out."""
        while not stopping.is_set():
            try:
                await self._catch_up(stopping)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                self._failures.warning("numbers.not_counted", type(error).__name__, reason=str(error)[:300])
            try:
                async with asyncio.timeout(EVERY.total_seconds()):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def _catch_up(self, stopping: asyncio.Event) -> None:
        if not await is_behind(self._store):
            return
        while await tally_batch(self._store, self._zone, self._batch) == self._batch:
            if stopping.is_set():
                return


async def is_behind(store: Store) -> bool:
    """Whether there are facts that are not counted yet."""
    async with store.reading() as conn:
        return bool((await conn.execute(_IS_STALE)).scalar_one())


async def tally_batch(store: Store, zone: tzinfo, limit: int = BATCH) -> int:
    """Count the facts of at most `limit` tickets anew; returns how many it took."""
    async with store.transaction() as tx:
        rows = (await tx.read(_STALE, {"batch": limit})).mappings().all()
        await count(tx, [dict(row) for row in rows], zone)
        if rows:
            stale = update(_facts).where(among(_facts.c.ticket_id, "ids", store.dialect)).values(stale=False)
            await tx.execute(stale, {"ids": as_parameter([row["ticket_id"] for row in rows], store.dialect)})
    return len(rows)


async def count(tx: Transaction, rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> None:
    """Bring `counted`, `tally` and `cells` to what `rows` of `facts` say; the caller has locked these rows."""
    dialect = tx.dialect
    before = await _counted_before(tx, [row["ticket_id"] for row in rows])
    now = {row["ticket_id"]: counted_as(row, zone) for row in rows}
    changed = [ticket_id for ticket_id in now if now[ticket_id] != before.get(ticket_id)]
    dropped = [ticket_id for ticket_id in changed if ticket_id in before]
    if dropped:
        gone = delete(_counted).where(among(_counted.c.ticket_id, "ids", dialect))
        await tx.execute(gone, {"ids": as_parameter(dropped, dialect)})
    added = [as_now.row(ticket_id) for ticket_id in changed if (as_now := now[ticket_id]) is not None]
    await _insert(tx, _counted, added)
    tally: Changes = defaultdict(lambda: [0] * len(COUNTERS))
    cells: Changes = defaultdict(lambda: [0] * len(COUNTERS))
    _change(tally, cells, (before[ticket_id] for ticket_id in changed if ticket_id in before), -1)
    _change(tally, cells, (as_now for name in changed if (as_now := now[name]) is not None), 1)
    await _add(tx, tables.tally, tally)
    await _add(tx, tables.cells, cells)


async def _counted_before(tx: Transaction, ticket_ids: list[str]) -> dict[str, Counted]:
    dialect = tx.dialect
    query = select(_counted).where(among(_counted.c.ticket_id, "ids", dialect))
    found = await tx.read(query, {"ids": as_parameter(ticket_ids, dialect)})
    return {row["ticket_id"]: Counted.of(dict(row)) for row in found.mappings()}


def _change(tally: Changes, cells: Changes, tickets: Iterable[Counted], sign: int) -> None:
    for ticket in tickets:
        counts = _numbers_of(ticket.counts)
        cell = cells[ticket.cell_key()]
        for n, number in enumerate(counts):
            cell[n] += sign * number
        for key in ticket.tally_keys():
            sums = tally[key]
            for n, number in enumerate(counts):
                sums[n] += sign * number


def _numbers_of(counts: Counts) -> tuple[int, ...]:
    return counts.solved, counts.decided, counts.asked, counts.good, counts.bad


async def _add(tx: Transaction, table: Table, changes: Changes) -> None:
    """Add to counters, in the order of their keys: two batches that meet never wait in a circle."""
    names = (*_KEYS[table], *COUNTERS)
    rows = [
        dict(zip(names, (*key, *numbers), strict=True))
        for key, numbers in sorted(changes.items())
        if any(numbers)
    ]
    await _insert(tx, table, rows)


async def _insert(tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or add their counters to those that are there; on PostgreSQL in one statement for all."""
    if not rows:
        return
    dialect = tx.dialect
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    await tx.execute(_statement(table, dialect), columns if dialect == POSTGRES else rows)


@cache
def _statement(table: Table, dialect: str) -> Insert:
    fresh = insert_for(dialect, table)
    if dialect == POSTGRES:
        names = [column.name for column in table.columns]
        arrays = (bindparam(column.name, type_=ARRAY(column.type)) for column in table.columns)
        given = func.unnest(*arrays).table_valued(*names).render_derived()
        fresh = fresh.from_select(names, select(*(given.c[name] for name in names)))
    if table is _counted:
        return fresh
    sums = {name: table.c[name] + fresh.excluded[name] for name in COUNTERS}
    return fresh.on_conflict_do_update(index_elements=_KEYS[table], set_=sums)


async def recount(store: Store, zone: tzinfo, progress: Callable[[int, int], None]) -> int:
    """Count everything anew from `facts`, as after a change of the report's time zone; returns how many tickets.

    The numbers begin at nothing and are whole again at the end. A running worker may count meanwhile; stopped half-way,
    it may be started again. `progress` hears how many of how many tickets are done.
    """
    async with store.transaction() as tx:
        for table in (_counted, tables.tally, tables.cells):
            await tx.execute(delete(table))
        total = (await tx.read(select(func.count(_facts.c.solved_at)))).scalar_one()
        await tx.execute(update(_facts).where(_UNSOLVED).values(stale=True))
    done, last = 0, None
    while page := await _page_after(store, last):
        await _count_these(store, [row.ticket_id for row in page], zone)
        done, last = done + len(page), page[-1]
        progress(done, total)
    while taken := await tally_batch(store, zone):
        done += taken
    return done


async def _page_after(store: Store, last: Row[Any, Any] | None) -> Sequence[Row[Any, Any]]:
    """The next tickets in the order of their solves: neighbours share days, so that there is less to add to."""
    moment, key = _facts.c.solved_at, _facts.c.ticket_id
    query = select(moment, key).where(moment.is_not(None)).order_by(moment, key).limit(PAGE)
    if last is not None:
        query = query.where(moment >= last.solved_at, or_(moment > last.solved_at, key > last.ticket_id))
    async with store.reading() as conn:
        return (await conn.execute(query)).all()


async def _count_these(store: Store, ticket_ids: list[str], zone: tzinfo) -> None:
    """Count these tickets; what somebody else holds just now is counted later, like all that is stale."""
    wanted = among(_facts.c.ticket_id, "ids", store.dialect)
    query = select(*_READ).where(wanted).order_by(_facts.c.ticket_id).with_for_update(skip_locked=True)
    async with store.transaction() as tx:
        found = await tx.read(query, {"ids": as_parameter(ticket_ids, store.dialect)})
        rows = [dict(row) for row in found.mappings()]
        await count(tx, rows, zone)
    for ticket_id in set(ticket_ids) - {row["ticket_id"] for row in rows}:
        async with store.transaction() as tx:
            await tx.execute(update(_facts).where(_facts.c.ticket_id == ticket_id).values(stale=True))
