"""Bulk statements for the tables that every event passes: one statement for any number of rows.

SQLAlchemy's own executemany spends 50 microseconds a row on parameters, and renders a new text for each number of rows.
Here PostgreSQL gets one array per column (`unnest`), SQLite its driver's executemany; the text is made once per table.
Rows are tuples in the order of the table's columns.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Table, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.tables import UtcDateTime

type Row = tuple[Any, ...]

_POSTGRES_TYPES = {
    Text: "text",
    LargeBinary: "bytea",
    UtcDateTime: "timestamptz",
    Integer: "integer",
    BigInteger: "bigint",
    Boolean: "boolean",
}


async def insert_rows(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert all `rows`."""
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        await conn.exec_driver_sql(_sqlite_insert(table), _for_sqlite(table, rows))
    else:
        await conn.exec_driver_sql(_postgres_insert(table), _columns(rows))


async def insert_new(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> set[Any]:
    """Insert the `rows` whose key (the table's first column) is not there yet; returns those keys.

    The keys of `rows` differ from each other; give them in one order everywhere, else two writers may wait in a circle.
    """
    if not rows:
        return set()
    if conn.dialect.name == "sqlite":  # one writer at a time: what we look for here nobody inserts meanwhile
        known = await conn.exec_driver_sql(
            _sqlite_known(table), (orjson.dumps([row[0] for row in rows]).decode(),)
        )
        there = set(known.scalars())
        fresh = [row for row in rows if row[0] not in there]
        await insert_rows(conn, table, fresh)
        return {row[0] for row in fresh}
    inserted = await conn.exec_driver_sql(_postgres_insert_new(table), _columns(rows))
    return set(inserted.scalars())


async def delete_by_key(conn: AsyncConnection, table: Table, keys: Sequence[str]) -> None:
    """Delete the rows with these keys (the table's first column)."""
    if not keys:
        return
    if conn.dialect.name == "sqlite":
        await conn.exec_driver_sql(_sqlite_delete(table), (orjson.dumps(keys).decode(),))
    else:
        await conn.exec_driver_sql(_postgres_delete(table), (list(keys),))


def _columns(rows: Sequence[Row]) -> Row:
    return tuple(map(list, zip(*rows, strict=True)))


def _for_sqlite(table: Table, rows: Sequence[Row]) -> list[Row]:
    moments = frozenset(n for n, column in enumerate(table.columns) if isinstance(column.type, UtcDateTime))
    return [
        tuple(
            _sqlite_moment(value) if n in moments and value is not None else value
            for n, value in enumerate(row)
        )
        for row in rows
    ]


def _sqlite_moment(value: datetime) -> str:
    """As SQLAlchemy writes it: sortable text."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _into(table: Table) -> str:
    return " ".join(("INSERT INTO", table.name, "(", ", ".join(column.name for column in table.columns), ")"))


@cache
def _sqlite_insert(table: Table) -> str:
    return " ".join((_into(table), "VALUES (", ", ".join("?" for _ in table.columns), ")"))


@cache
def _postgres_insert(table: Table) -> str:
    kinds = (_POSTGRES_TYPES[type(column.type)] for column in table.columns)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(kinds, 1))
    return " ".join((_into(table), "SELECT * FROM unnest(", arrays, ")"))


@cache
def _postgres_insert_new(table: Table) -> str:
    return " ".join((_postgres_insert(table), "ON CONFLICT DO NOTHING RETURNING", table.columns[0].name))


@cache
def _sqlite_known(table: Table) -> str:
    key = table.columns[0].name
    return " ".join(("SELECT", key, "FROM", table.name, "WHERE", key, "IN (SELECT value FROM json_each(?))"))


@cache
def _sqlite_delete(table: Table) -> str:
    key = table.columns[0].name
    return " ".join(("DELETE FROM", table.name, "WHERE", key, "IN (SELECT value FROM json_each(?))"))


@cache
def _postgres_delete(table: Table) -> str:
    return " ".join(("DELETE FROM", table.name, "WHERE", table.columns[0].name, "= ANY($1::text[])"))
