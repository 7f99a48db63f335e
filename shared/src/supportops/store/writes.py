"""What a transaction collected, written as one statement: a message costs the round trips of one, not of five.

On PostgreSQL the parts of a transaction become the parts of one WITH, done in their order: the statement asks for the
count of each, and a count wants its part finished. All parts see the rows as they were before the statement; those
that must know what an earlier one has done read what it returns. SQLite has no such WITH, and its file is near.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import CTE, Row, Select, Table, func, literal_column, select, true
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


async def perform(conn: AsyncConnection, write: Write) -> list[Row[Any]]:
    """One write by itself; what it returns."""
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
    values: dict[str, Any] = {}
    for number, write in enumerate(writes):
        for name in write.rows[0]:
            values[f"{_prefix(number)}_{name}"] = [row[name] for row in write.rows]
        values |= write.fixed
    await conn.execute(_together(tuple(write.shape for write in writes)), values)


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


@cache
def _together(shapes: tuple[Shape, ...]) -> Select[Any]:
    parts = [_part(number, shape) for number, shape in enumerate(shapes)]
    return select(*(select(func.count()).select_from(part).scalar_subquery() for part in parts))


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
