"""A batch's view of one table by its primary key: loaded once, changed in memory, written back in bulk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Table, update
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.key_lookup import SQLITE, key_parameters, locked_rows, locked_rows_of, parameter_rows
from supportops.store.writes import Shape, Write, insert_all

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
        await load_all(conn, [(self, keys)])

    def _expect(self, keys: Iterable[Key]) -> list[Key]:
        """Those of `keys` that are not here yet, sorted; from now on they may be read."""
        wanted = sorted({key for key in keys if key not in self._rows})
        self._rows.update(dict.fromkeys(wanted))
        return wanted

    def _take(self, row: Row) -> None:
        self._rows[self._key(row)] = row

    @property
    def table(self) -> Table:
        """Whose rows these are."""
        return self._table

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

    def collected(self) -> list[Write]:
        """What changed since the last time: one write for the new rows, one per set of changed columns."""
        writes = []
        if self._new:
            fresh = [self._complete(self._rows[key] or {}) for key in sorted(self._new)]
            writes.append(Write(Shape(insert_all, (self._table,)), fresh))
        groups: dict[tuple[str, ...], list[Key]] = {}
        for key in sorted(self._changed):
            groups.setdefault(tuple(sorted(self._changed[key])), []).append(key)
        for columns, keys in groups.items():
            changed = [self._parameters(key, columns) for key in keys]
            writes.append(Write(Shape(_update, (self._table, columns)), changed))
        self._new.clear()
        self._changed.clear()
        return writes

    def _complete(self, row: Row) -> Row:
        return {c.name: row[c.name] if c.name in row else _default(c) for c in self._table.columns}

    def _parameters(self, key: Key, columns: Sequence[str]) -> Row:
        row = self._rows[key] or {}
        parts = key if len(self._pk) > 1 else (key,)
        where = {f"pk_{column.name}": part for column, part in zip(self._pk, parts, strict=True)}
        return where | {f"new_{name}": row[name] for name in columns}

    def _key(self, row: Mapping[Any, Any]) -> Key:
        parts = tuple(row[column.name] for column in self._pk)
        return parts if len(parts) > 1 else parts[0]


async def load_all(conn: AsyncConnection, wanted: Sequence[tuple[Rows, Iterable[Key]]]) -> None:
    """Read and lock rows of several tables, in the order given; one statement on PostgreSQL."""
    asked = [(rows, missing) for rows, keys in wanted if (missing := rows._expect(keys))]
    dialect = conn.dialect.name
    if dialect == SQLITE or len(asked) < 2:  # one table needs no company
        for rows, keys in asked:
            parameters = key_parameters(keys, len(rows._pk), dialect)
            for row in (await conn.execute(locked_rows(rows.table, dialect), parameters)).mappings():
                rows._take({str(name): value for name, value in row.items()})
        return
    parameters = {}
    for number, (rows, keys) in enumerate(asked):
        parameters |= key_parameters(keys, len(rows._pk), dialect, f"t{number}_")
    for row in (
        await conn.execute(locked_rows_of(tuple(rows.table for rows, _ in asked)), parameters)
    ).mappings():
        rows = asked[row["which"]][0]
        rows._take({column.name: row[f"c{row['which']}_{column.name}"] for column in rows.table.columns})


def new_rows(table: Table, rows: Sequence[Row]) -> Write:
    """Insert those whose key is not there yet."""
    return Write(Shape(_insert_missing, (table,)), rows)


def _insert_missing(dialect: str, prefix: str, table: Table) -> Any:
    return insert_all(dialect, prefix, table).on_conflict_do_nothing()


def newest_rows(table: Table, rows: Sequence[Row]) -> Write:
    """Insert them, or lay them over what their keys held; each key once, in the order of keys."""
    names = table.primary_key.columns.keys()
    by_key = {tuple(row[name] for name in names): row for row in rows}  # the last one of a key counts
    return Write(Shape(_insert_or_replace, (table,)), [by_key[key] for key in sorted(by_key)])


def _insert_or_replace(dialect: str, prefix: str, table: Table) -> Any:
    statement, keys = insert_all(dialect, prefix, table), table.primary_key.columns.keys()
    values = {name: statement.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


def _update(dialect: str, prefix: str, table: Table, columns: tuple[str, ...]) -> Any:
    keys = {f"pk_{column.name}": column for column in table.primary_key.columns}
    changed = {f"new_{name}": table.c[name] for name in columns}
    v = parameter_rows(keys | changed, dialect, prefix)
    where = (column == v[name] for name, column in keys.items())
    return update(table).where(*where).values({name: v[f"new_{name}"] for name in columns})


def _default(column: Column[Any]) -> Any:
    return getattr(column.default, "arg", None)
