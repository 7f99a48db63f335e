"""Rows that may come again: kept once and counted, and what the first one promises is promised once.

One statement on PostgreSQL, which needs no transaction around it. SQLite has one writer, and does it step by step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, Select, Table, Update, bindparam, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.key_lookup import POSTGRES, SQLITE, among, as_parameter, parameter_rows
from supportops.store.outbox import ALIKE
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_for
from supportops.store.writes import Shape, Write, insert_all, insert_values, perform

type Record = Mapping[str, Any]
_KEPT, _PROMISED = "kept", "promised"


@dataclass(frozen=True)
class Kept:
    """What is to be kept. `rows`: by key, with all columns; `counter` holds how often a row came beside its first time.

    `promised`: for each key the outbox rows that go with its first coming, all of one `Outbox` (see `ALIKE`).
    """

    table: Table
    counter: Column[int]
    rows: Mapping[str, Record]
    promised: Mapping[str, Sequence[Record]]


async def keep(conn: AsyncConnection, wanted: Kept) -> set[str]:
    """Write it; returns the keys that were new. Keys are locked in their order, by whoever comes."""
    keys = sorted(wanted.rows)
    if conn.dialect.name == SQLITE:
        return await _step_by_step(conn, wanted, keys)
    counter = wanted.counter.name
    rows = [wanted.rows[key] for key in keys]
    outbox = [
        {**record, "because": key, "repeats": wanted.rows[key][counter]}
        for key in keys
        for record in wanted.promised.get(key, ())
    ]
    values = _arrays(_KEPT, wanted.table.columns.keys(), rows)
    if outbox:
        values |= _arrays(_PROMISED, [*_own_columns(), "because", "repeats"], outbox)
        values |= {f"{_PROMISED}_{name}": outbox[0][name] for name in ALIKE}
    found = await conn.execute(_statement(wanted.table, wanted.counter, bool(outbox)), values)
    return {row.key for row in found if row.times == wanted.rows[row.key][counter]}


async def _step_by_step(conn: AsyncConnection, wanted: Kept, keys: Sequence[str]) -> set[str]:
    known, again = _steps(wanted.table, wanted.counter)
    there = set((await conn.execute(known, {"keys": as_parameter(keys, SQLITE)})).scalars())
    fresh = [wanted.rows[each] for each in keys if each not in there]
    if fresh:
        await perform(conn, Write(Shape(insert_all, (wanted.table,)), fresh))
    if there:
        times = [
            {"b_key": each, "b_times": 1 + wanted.rows[each][wanted.counter.name]} for each in sorted(there)
        ]
        await conn.execute(again, times)
    outbox = [record for each in keys if each not in there for record in wanted.promised.get(each, ())]
    if outbox:
        await perform(conn, Write(Shape(insert_all, (ENGINE.outbox,)), outbox))
    return set(keys) - there


@cache
def _steps(table: Table, counter: Column[int]) -> tuple[Select[Any], Update]:
    """Which of the keys are there, and counting those."""
    (key,) = table.primary_key.columns
    again = update(table).where(key == bindparam("b_key")).values({counter: counter + bindparam("b_times")})
    return select(key).where(among(key, "keys", SQLITE)), again


@cache
def _statement(table: Table, counter: Column[int], promising: bool) -> Select[Any]:
    """A row that was there has been counted once more than it says itself: by that it is told from a new one."""
    (key,) = table.primary_key.columns
    insert = insert_values(POSTGRES, _KEPT, table, table.columns.keys())
    insert = insert.on_conflict_do_update(
        index_elements=[key], set_={counter.name: counter + 1 + insert.excluded[counter.name]}
    )
    kept = insert.returning(key.label("key"), counter.label("times")).cte("kept_rows")
    found = select(kept.c.key, kept.c.times)
    if not promising:
        return found
    names = ENGINE.outbox.columns.keys()
    v = parameter_rows(_own_columns() | {"because": key, "repeats": counter}, POSTGRES, _PROMISED)
    alike = {name: bindparam(f"{_PROMISED}_{name}", type_=ENGINE.outbox.c[name].type) for name in ALIKE}
    # IS TRUE keeps it a question about a list, which is hashed. As a join it would be a loop in a loop, for hash joins
    # are off (postgres.py), and cost the square of the batch.
    is_new = tuple_(v["because"], v["repeats"]).in_(select(kept.c.key, kept.c.times)).is_(true())
    first = select(*(alike[name] if name in alike else v[name] for name in names)).where(is_new)
    promised = (
        insert_for(POSTGRES, ENGINE.outbox)
        .from_select(names, first)
        .returning(ENGINE.outbox.c.id)
        .cte("promised_rows")
    )
    return found.add_cte(promised)


def _own_columns() -> dict[str, Column[Any]]:
    """What outbox rows do not have alike: each value in an array costs, the driver looks whether it is a list too."""
    return {column.name: column for column in ENGINE.outbox.columns if column.name not in ALIKE}


def _arrays(prefix: str, names: Sequence[str], rows: Sequence[Record]) -> dict[str, Any]:
    return {f"{prefix}_{name}": [row[name] for row in rows] for name in names}
