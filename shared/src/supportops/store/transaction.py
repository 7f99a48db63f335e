"""What a handler, an endpoint or an outcome may do inside one transaction; all is collected and written in bulk."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, Result, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.contracts.envelope import Event
from supportops.store.bulk import Row, insert_new
from supportops.store.deliveries import DeliveryBook
from supportops.store.outbox import Outbox
from supportops.store.rows import Key, Rows
from supportops.store.tables import EngineTables

Then = Callable[["Transaction"], Awaitable[None] | None]


class Transaction:
    """One transaction of a service's database. Opened by `Store.transaction`, which alone commits it.

    `now` is the moment it began. Handlers use `rows`, `write`, `publish` and `deliveries`, which collect. `load`,
    `read`, `execute` and `insert_new` await the database and are for the edges (endpoints, commands, outcomes); the
    last three write first what was collected.
    """

    def __init__(self, conn: AsyncConnection, tables: EngineTables, now: datetime) -> None:
        self._conn = conn
        self.now = now
        self.tables = tables
        self.outbox = Outbox(tables.outbox, now)
        self.deliveries = DeliveryBook(now)
        self._correlation_id: str | None = None
        self._rows: dict[Table, Rows] = {}
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

    def write(self, statement: Executable, **parameters: Any) -> None:
        """Collect a write; calls with the same statement object become one bulk execution."""
        self._writes.setdefault(id(statement), (statement, []))[1].append(parameters)

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

    async def insert_new(self, table: Table, rows: Sequence[Row]) -> set[Any]:
        """Insert now those of `rows` whose key is not there yet; returns their keys (as `bulk.insert_new`)."""
        await self.flush()
        return await insert_new(self._conn, table, rows)

    async def apply(self, then: Then | None) -> None:
        """Run what follows from an outcome."""
        if then is not None and inspect.isawaitable(result := then(self)):
            await result

    async def flush(self) -> None:
        """Write everything that was collected."""
        for rows in self._rows.values():
            await rows.flush(self._conn)
        writes, self._writes = self._writes, {}
        for statement, parameters in writes.values():
            await self._conn.execute(statement, parameters)
        await self.outbox.flush(self._conn)
        await self.deliveries.flush(self._conn)
