"""What a transaction collected, written as one statement: a message costs the round trips of one, not of five.

On PostgreSQL the parts of a transaction become the parts of one WITH, done in their order: the statement asks for the
count of each, and a count wants its part finished. All parts see the rows as they were before the statement; those
that must know what an earlier one has done read what it returns. SQLite has no such WITH, and its file is near.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    Dialect,
    Integer,
    Row,
    Select,
    Table,
    bindparam,
    cast,
    exc,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.key_lookup import POSTGRES, SQLITE, VALUES, for_each, parameter_rows
from supportops.store.upsert import insert_for


@dataclass(frozen=True)
class Shape:
    """Which statement a write is: equal shapes are the same text, built once.

    `build` makes it from the dialect, the prefix of its parameters' names (`key_lookup.parameter_rows`) and
    `arguments`. `name`: by which a later part of the same statement may read what this one returns.
    """

    build: Callable[..., Any]
    arguments: tuple[Hashable, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Write:
    """A statement over `rows` (all with the same names), and its other parameters."""

    shape: Shape
    rows: Sequence[Mapping[str, Any]]
    fixed: Mapping[str, Any] = field(default_factory=dict)


class Incomplete(Exception):
    """A guarded write did not write all of its rows, and nothing was written at all."""


async def perform(conn: AsyncConnection, write: Write) -> list[Row[Any]]:
    """One write by itself; what it returns."""
    if conn.dialect.name == SQLITE and write.shape.build is insert_all:
        text, places = _insert_for_driver(write.shape, conn.dialect)
        await conn.exec_driver_sql(text, _in_order(text, places, write.rows))
        return []
    statement = _alone(write.shape, conn.dialect.name)
    if conn.dialect.name == SQLITE and not _returns(statement):
        rows = [
            {f"{VALUES}_{name}": value for name, value in row.items()} | dict(write.fixed)
            for row in write.rows
        ]
        await conn.execute(statement, rows)
        return []
    return await for_each(conn, statement, write.rows, write.fixed)


async def perform_all(conn: AsyncConnection, writes: Sequence[Write]) -> None:
    """All writes in their order; one statement on PostgreSQL. Locks are taken in that order too."""
    if conn.dialect.name == SQLITE or len(writes) < 2:  # one needs no company
        for write in writes:
            await perform(conn, write)
        return
    await conn.execute(_together(tuple(write.shape for write in writes)), _values(writes))


async def perform_guarded(
    conn: AsyncConnection, before: Sequence[Write], guarded: Write, after: Sequence[Write]
) -> dict[str, list[Any]]:
    """All writes in their order as one statement of PostgreSQL, if `guarded` returns as many rows as it was given.

    Returns its rows, by column. Raises Incomplete when there are fewer: that nothing is written then does not rest on a
    transaction around the statement, which divides by zero.
    """
    writes = [*before, guarded, *after]
    statement = _with_a_guard(tuple(write.shape for write in writes), len(before))
    values = _values(writes) | {_WANTED: len(guarded.rows)}
    try:
        row = (await conn.execute(statement, values)).one()
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _DIVISION_BY_ZERO:
            raise
        raise Incomplete from error
    found = row._mapping.items()
    return {name.removeprefix(_GUARDED): value for name, value in found if name.startswith(_GUARDED)}


def insert_values(dialect: str, prefix: str, table: Table, names: Sequence[str]) -> Any:
    """An INSERT over rows of parameters, for the columns named; it has `on_conflict_do_nothing` and the like."""
    values = parameter_rows({name: table.c[name] for name in names}, dialect, prefix)
    if dialect == SQLITE:
        return insert_for(dialect, table).values(values)
    return insert_for(dialect, table).from_select(list(names), select(*values.values()).where(true()))


def insert_all(dialect: str, prefix: str, table: Table) -> Any:
    """The same for all columns."""
    return insert_values(dialect, prefix, table, table.columns.keys())


@cache
def _alone(shape: Shape, dialect: str) -> Any:
    return shape.build(dialect, VALUES, *shape.arguments)


type Place = tuple[str, Callable[[Any], Any] | None]  # a column, and how the driver wants its values


@lru_cache(maxsize=256)  # by dialect, too: a process of tests has hundreds
def _insert_for_driver(shape: Shape, dialect: Dialect) -> tuple[str, Sequence[Place]]:
    """An `insert_all` of SQLite as text, and what its places hold: SQLAlchemy looks that up anew for each row."""
    compiled: Any = _alone(shape, dialect.name).compile(dialect=dialect)
    places = []
    for name in compiled.positiontup:
        kind = compiled.binds[name].type
        places.append((name.removeprefix(f"{VALUES}_"), kind.dialect_impl(dialect).bind_processor(dialect)))
    return compiled.string, places


def _in_order(text: str, places: Sequence[Place], rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Raises StatementError for what cannot be a value, as SQLAlchemy does."""
    try:
        return [
            tuple(row[name] if as_wanted is None else as_wanted(row[name]) for name, as_wanted in places)
            for row in rows
        ]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise exc.StatementError(str(error), text, None, error, hide_parameters=True) from error


_WANTED, _GUARDED, _DIVISION_BY_ZERO = "wanted", "guarded_", "22012"


def _values(writes: Sequence[Write]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number, write in enumerate(writes):
        for name in write.rows[0]:
            values[f"{_prefix(number)}_{name}"] = [row[name] for row in write.rows]
        values |= write.fixed
    return values


@cache
def _together(shapes: tuple[Shape, ...]) -> Select[Any]:
    return select(*map(_count, _parts(shapes)))


@cache
def _with_a_guard(shapes: tuple[Shape, ...], which: int) -> Select[Any]:
    """Scalar queries alone, which are asked in their order: whatever stood in FROM would be done, and lock, first."""
    parts = _parts(shapes)
    found = [_count(part) for part in parts]
    found[which] = literal(1) // cast(found[which] == bindparam(_WANTED), Integer)
    returned = [
        select(func.array_agg(column)).scalar_subquery().label(f"{_GUARDED}{column.name}")
        for column in parts[which].c
    ]
    return select(*(each.label(f"count{n}") for n, each in enumerate(found)), *returned)


def _parts(shapes: Sequence[Shape]) -> list[CTE]:
    return [_part(number, shape) for number, shape in enumerate(shapes)]


def _count(part: CTE) -> Any:
    return select(func.count()).select_from(part).scalar_subquery()


def _part(number: int, shape: Shape) -> CTE:
    statement = shape.build(POSTGRES, _prefix(number), *shape.arguments)
    if not _returns(statement):
        statement = statement.returning(literal_column("1").label("done"))
    part: CTE = statement.cte(shape.name or f"part{number}")
    return part


def _returns(statement: Any) -> bool:
    return isinstance(statement, Select) or bool(statement._returning)


def _prefix(number: int) -> str:
    return f"{VALUES}{number}"
