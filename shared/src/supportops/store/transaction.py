"""What a handler, an endpoint or an outcome may do inside one transaction; all is collected and written in bulk."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, CursorResult, Executable, Result, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.contracts.envelope import Event
from supportops.store.deliveries import DeliveryBook
from supportops.store.keep import Kept, keep
from supportops.store.key_lookup import SQLITE
from supportops.store.outbox import Outbox
from supportops.store.rows import Key, Rows, load_all, new_rows, newest_rows
from supportops.store.tables import EngineTables
from supportops.store.writes import Write, perform_all, perform_guarded

Then = Callable[["Transaction"], Awaitable[None] | None]


class Transaction:
    """One transaction of a service's database. Opened by `Store.transaction`, which alone commits it.

    `now` is the moment it began. Handlers use `rows`, `add`, `write`, `publish` and `deliveries`, which collect.
    `load`, `read` and `execute` await the database and are for the edges (endpoints, commands, outcomes); the last two
    write first what was collected. `keep` is a transaction by itself.
    """

    def __init__(self, conn: AsyncConnection, tables: EngineTables, now: datetime) -> None:
        self._conn = conn
        self.now = now
        self.tables = tables
        self.outbox = Outbox(tables.outbox, now)
        self.deliveries = DeliveryBook(now)
        self._correlation_id: str | None = None
        self._rows: dict[Table, Rows] = {}
        self._new: dict[Table, list[dict[str, Any]]] = {}
        self._newest: dict[Table, list[dict[str, Any]]] = {}
        self._writes: dict[int, tuple[Executable, list[dict[str, Any]]]] = {}

    @property
    def conn(self) -> AsyncConnection:
        """The engine's own door, past what was collected; services are not let through (tests/architecture)."""
        return self._conn

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._conn.dialect.name

    def because_of(self, correlation_id: str | None) -> None:
        """What is collected from now on follows from that event: events and deliveries carry its correlation id."""
        self._correlation_id = self.deliveries.correlation_id = correlation_id

    def publish(self, event: Event) -> None:
        """Promise `event` to its topic: published if and only if this transaction commits."""
        if event.correlation_id is None and self._correlation_id is not None:
            event = event.model_copy(update={"correlation_id": self._correlation_id})
        self.outbox.add(event)

    def rows(self, table: Table) -> Rows:
        """The batch's view of `table`; only keys that were loaded may be read."""
        if table not in self._rows:
            self._rows[table] = Rows(table)
        return self._rows[table]

    async def load(self, table: Table, keys: Iterable[Key]) -> Rows:
        """The batch's view of `table` with `keys` loaded."""
        rows = self.rows(table)
        await rows.load(self._conn, keys)
        return rows

    def add(self, table: Table, **values: Any) -> None:
        """Collect a row, with all its columns; one whose key is there already is left as it is."""
        self._new.setdefault(table, []).append(values)

    def replace(self, table: Table, **values: Any) -> None:
        """Collect a row, with all its columns; it takes the place of one with its key."""
        self._newest.setdefault(table, []).append(values)

    def write(self, statement: Executable, **parameters: Any) -> None:
        """Collect a write; calls with the same statement object become one bulk execution."""
        self._writes.setdefault(id(statement), (statement, []))[1].append(parameters)

    async def load_all(self, wanted: Mapping[Table, Iterable[Key]]) -> None:
        """Load keys of several tables; they are locked in one order, whoever asks."""
        tables = sorted(wanted, key=lambda table: table.name)
        await load_all(self._conn, [(self.rows(table), wanted[table]) for table in tables])

    async def read(self, query: Executable, parameters: Mapping[str, Any] | None = None) -> Result[Any]:
        """The rows of a query, as this transaction sees them: what it collected so far is written first."""
        await self.flush()
        return await self._conn.execute(query, parameters)

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Change rows now, after what was collected so far."""
        await self.flush()
        return await self._conn.execute(statement, parameters)

    async def keep(
        self,
        counter: Column[int],
        rows: Mapping[str, Mapping[str, Any]],
        events: Mapping[str, Sequence[Event]],
    ) -> set[str]:
        """Keep rows of the counter's table that may come again; returns the keys of those that were new.

        `rows`: by key, with all columns, `counter` being how often each came beside its first time. A row that is there
        already is counted; `events` of a new one are promised, in the order given. Nothing else belongs into such a
        transaction: on PostgreSQL it is one statement, and committed at once.
        """
        if self._conn.in_transaction() and self.dialect != SQLITE:
            raise RuntimeError("rows are kept by a statement of their own, before anything else")
        if self.dialect != SQLITE:
            await self._conn.execution_options(isolation_level="AUTOCOMMIT")
        promised = {key: [self.outbox.row_of(event) for event in some] for key, some in events.items()}
        records = {key: [self.outbox.record(row) for row in some] for key, some in promised.items()}
        new = await keep(self._conn, Kept(counter.table, counter, rows, records))
        self.outbox.rows += [row for key, some in promised.items() if key in new for row in some]
        return new

    async def apply(self, then: Then | None) -> None:
        """Run what follows from an outcome."""
        if then is not None and inspect.isawaitable(result := then(self)):
            await result

    async def flush(self) -> None:
        """Write everything that was collected, but lanes: those are locked last."""
        await perform_all(self._conn, await self._collected())
        await self.deliveries.flush(self._conn)

    async def finish(self, notification: Write | None = None) -> None:
        """The last writes; nothing may be collected after them. On PostgreSQL one statement.

        Where it is the first one too, it needs no transaction around it.
        """
        if self.dialect == SQLITE:
            await self.flush()
            await self.deliveries.flush_lanes(self._conn)
            return
        writes, rounds = await self._collected(), self.deliveries.collected()
        for early in rounds[:-1]:
            await perform_all(self._conn, writes)
            await self.deliveries.perform(self._conn, early)
            writes = []
        writes += rounds[-1] if rounds else []
        writes += self.deliveries.lanes(beside=writes)
        writes += [notification] if notification else []
        if writes and not self._conn.in_transaction():
            await self._conn.execution_options(isolation_level="AUTOCOMMIT")
        await perform_all(self._conn, writes)

    @property
    def is_one_statement(self) -> bool:
        """Whether all that was collected can be written at once: nothing was read or written before on PostgreSQL, and
        no delivery is changed that may be there already.
        """
        begun = self._conn.in_transaction() or self._writes
        return self.dialect != SQLITE and not begun and self.deliveries.only_new

    async def commit_with(self, guarded: Write) -> dict[str, list[Any]]:
        """Write what was collected and, before its lanes, `guarded`: committed at once, or not at all if that writes
        fewer rows than it was given (Incomplete). Only where `is_one_statement`; the guarded rows, by column.
        """
        writes = await self._collected()
        writes += [write for some in self.deliveries.collected() for write in some]
        await self._conn.execution_options(isolation_level="AUTOCOMMIT")
        return await perform_guarded(self._conn, writes, guarded, self.deliveries.lanes())

    async def _collected(self) -> list[Write]:
        """Rows, and promised events; statements of the caller's own are written at once."""
        writes = [write for rows in self._rows.values() for write in rows.collected()]
        writes += [new_rows(table, rows) for table, rows in self._new.items()]
        writes += [newest_rows(table, rows) for table, rows in self._newest.items()]
        statements, self._writes, self._new, self._newest = self._writes, {}, {}, {}
        if statements:
            await perform_all(self._conn, writes)
            writes = []
        for statement, parameters in statements.values():
            await self._conn.execute(statement, parameters)
        return writes + self.outbox.collected()
