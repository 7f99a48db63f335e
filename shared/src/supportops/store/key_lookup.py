"""Looking rows up by many keys at once: the keys travel as one parameter, so that the statement is always the same.

Statements are built once per table and dialect (`functools.cache`): building one anew for each batch costs more than
PostgreSQL takes to answer it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    Executable,
    Row,
    Select,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

POSTGRES, SQLITE = "postgresql", "sqlite"
VALUES = "v"  # how the names of a statement's row parameters begin


def among(column: Column[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """`column` is one of the texts in the parameter `name`, given as `as_parameter(…)`."""
    return column.in_(_texts(name, dialect))


def as_parameter(keys: Sequence[str], dialect: str) -> Any:
    """Texts as the one parameter that `among` wants."""
    return orjson.dumps(keys).decode() if dialect == SQLITE else list(keys)


@cache
def locked_rows(table: Table, dialect: str, prefix: str = "") -> Select[Any]:
    """SELECT of the rows whose primary keys are given by `key_parameters`, in key order, locked on PostgreSQL."""
    pk = list(table.primary_key.columns)
    if not all(isinstance(column.type, String) for column in pk):
        raise TypeError(f"{table.name}: primary keys of the engine's rows are texts")
    if len(pk) == 1:
        wanted = among(pk[0], f"{prefix}key0", dialect)
    else:
        wanted = tuple_(*pk).in_(_pairs(len(pk), dialect, prefix))
    return select(table).where(wanted).order_by(*pk).with_for_update()


@cache
def locked_rows_of(tables: tuple[Table, ...]) -> Any:
    """The same for several tables at once on PostgreSQL, locked one table after the other.

    Each row of the answer is of the table with the number `which`; its values are the columns `c<which>_<name>`. Keys
    are given by `key_parameters` of each table with its number as `prefix`.
    """
    found = [locked_rows(table, POSTGRES, f"t{n}_").cte(f"rows{n}") for n, table in enumerate(tables)]
    parts = []
    for which, _ in enumerate(tables):
        own = [
            (c if n == which else cast(null(), c.type)).label(f"c{n}_{c.name}")
            for n, each in enumerate(found)
            for c in each.c
        ]
        parts.append(select(literal(which).label("which"), *own))
    return union_all(*parts)


def key_parameters(keys: Sequence[Any], width: int, dialect: str, prefix: str = "") -> dict[str, Any]:
    """The parameters of `locked_rows` for keys of `width` columns (texts, or tuples of texts)."""
    if dialect == SQLITE:
        return {f"{prefix}key0": orjson.dumps(keys).decode()}
    columns = [list(keys)] if width == 1 else [list(column) for column in zip(*keys, strict=True)]
    return {f"{prefix}key{n}": column for n, column in enumerate(columns)}


def parameter_rows(
    columns: Mapping[str, ColumnElement[Any]], dialect: str, prefix: str = VALUES
) -> Mapping[str, ColumnElement[Any]]:
    """Values by name for a statement over many rows, executed by `for_each`.

    On PostgreSQL these are the columns of one `unnest`, on SQLite parameters: there it is executed once per row.
    `prefix`: of the parameters' names, where several such statements are parts of one.
    """
    if dialect == SQLITE:
        return {name: bindparam(f"{prefix}_{name}", type_=like.type) for name, like in columns.items()}
    arrays = (bindparam(f"{prefix}_{name}", type_=ARRAY(like.type)) for name, like in columns.items())
    names = (column(name, like.type) for name, like in columns.items())
    rows = func.unnest(*arrays).table_valued(*names).render_derived(prefix)
    return dict(rows.c.items())


async def for_each(
    conn: AsyncConnection,
    statement: Executable,
    rows: Sequence[Mapping[str, Any]],
    fixed: Mapping[str, Any] | None = None,
) -> list[Row[Any]]:
    """Execute a statement made with `parameter_rows` for `rows` (all with the same names); what it returns.

    `fixed`: its other parameters. Rows are visited in their order: give them in the order in which locks are taken.
    """
    if not rows:
        return []
    if conn.dialect.name != SQLITE:
        arrays = {f"{VALUES}_{name}": [row[name] for row in rows] for name in rows[0]}
        return _returned(await conn.execute(statement, arrays | dict(fixed or {})))
    found: list[Row[Any]] = []
    for row in rows:
        values = {f"{VALUES}_{name}": value for name, value in row.items()}
        found += _returned(await conn.execute(statement, values | dict(fixed or {})))
    return found


def _returned(result: CursorResult[Any]) -> list[Row[Any]]:
    return list(result.all()) if result.returns_rows else []


def _texts(name: str, dialect: str) -> Select[Any]:
    if dialect == SQLITE:
        return select(func.json_each(bindparam(name)).table_valued("value").c.value)
    return select(func.unnest(bindparam(name, type_=ARRAY(String))))


def _pairs(width: int, dialect: str, prefix: str) -> Select[Any]:
    if dialect == SQLITE:
        value = func.json_each(bindparam(f"{prefix}key0")).table_valued("value").c.value
        return select(*(func.json_extract(value, f"$[{n}]") for n in range(width)))
    names = [f"c{n}" for n in range(width)]
    columns = (bindparam(f"{prefix}key{n}", type_=ARRAY(String)) for n in range(width))
    return select(func.unnest(*columns).table_valued(*names).render_derived())
