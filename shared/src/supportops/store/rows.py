"""A batch's view of one table by its primary key: loaded once, changed in memory, written back in bulk."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Column, Insert, Table, Update, and_, bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.key_lookup import key_parameters, locked_rows

Key = Any  # the value of a single-column primary key, or a tuple in the order of a composite one
Row = dict[str, Any]


class Rows:
    """Rows of one table, for the length of one transaction.

    Only keys that were loaded may be read: a key that a handler did not declare is a KeyError, not a silent None.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pk: list[Column[Any]] = list(table.primary_key.columns)
        self._rows: dict[Key, Row | None] = {}
        self._new: set[Key] = set()
        self._changed: dict[Key, set[str]] = {}

    async def load(self, conn: AsyncConnection, keys: Iterable[Key]) -> None:
        """Read (and on PostgreSQL lock, in key order) the rows of `keys` that are not here yet."""
        wanted = sorted({key for key in keys if key not in self._rows})
        if not wanted:
            return
        self._rows.update(dict.fromkeys(wanted))
        dialect = conn.dialect.name
        parameters = key_parameters(wanted, len(self._pk), dialect)
        for row in (await conn.execute(locked_rows(self._table, dialect), parameters)).mappings():
            self._rows[self._key(row)] = dict(row)

    def get(self, key: Key) -> Mapping[str, Any] | None:
        """The row as it is now in this transaction, or None when there is none."""
        return self._rows[key]

    def put(self, key: Key, **values: Any) -> None:
        """Insert the row, or lay `values` over what it holds."""
        row = self._rows[key]
        if row is None:
            names = [column.name for column in self._pk]
            row = self._rows[key] = dict(zip(names, key if len(names) > 1 else (key,), strict=True))
            self._new.add(key)
        changed = {name for name, value in values.items() if name not in row or row[name] != value}
        row.update(values)
        if changed and key not in self._new:
            self._changed.setdefault(key, set()).update(changed)

    async def flush(self, conn: AsyncConnection) -> None:
        """Write what changed: one statement for the new rows, one per set of changed columns."""
        if self._new:
            fresh = [self._complete(self._rows[key] or {}) for key in sorted(self._new)]
            await conn.execute(_insert(self._table), fresh)
        groups: dict[frozenset[str], list[Key]] = {}
        for key in sorted(self._changed):
            groups.setdefault(frozenset(self._changed[key]), []).append(key)
        for columns, keys in groups.items():
            await conn.execute(
                _update(self._table, columns), [self._parameters(key, columns) for key in keys]
            )
        self._new.clear()
        self._changed.clear()

    def _complete(self, row: Row) -> Row:
        return {c.name: row[c.name] if c.name in row else _default(c) for c in self._table.columns}

    def _parameters(self, key: Key, columns: frozenset[str]) -> Row:
        row = self._rows[key] or {}
        parts = key if len(self._pk) > 1 else (key,)
        where = {f"pk_{column.name}": part for column, part in zip(self._pk, parts, strict=True)}
        return where | {f"new_{name}": row[name] for name in columns}

    def _key(self, row: Mapping[Any, Any]) -> Key:
        parts = tuple(row[column.name] for column in self._pk)
        return parts if len(parts) > 1 else parts[0]


@cache
def _insert(table: Table) -> Insert:
    return insert(table)


@cache
def _update(table: Table, columns: frozenset[str]) -> Update:
    where = and_(*(column == bindparam(f"pk_{column.name}") for column in table.primary_key.columns))
    return update(table).where(where).values({name: bindparam(f"new_{name}") for name in sorted(columns)})


def _default(column: Column[Any]) -> Any:
    return getattr(column.default, "arg", None)
