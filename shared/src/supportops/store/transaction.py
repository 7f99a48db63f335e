"""What a handler, an endpoint or an outcome may do inside one transaction; all is collected and written in bulk."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.contracts.envelope import Event
from supportops.store.deliveries import DeliveryBook
from supportops.store.outbox import Outbox
from supportops.store.rows import Key, Rows
from supportops.store.tables import EngineTables

Then = Callable[["Transaction"], Awaitable[None] | None]


class Transaction:
    """One transaction of a service's database. Opened by `Store.transaction`, which alone commits it.

    `now` is the moment it began. Handlers use `rows`, `write`, `publish` and `deliveries`, which collect; `load` and
    `execute` await the database and are for the edges (endpoints, commands, outcomes).
    """

    def __init__(self, conn: AsyncConnection, tables: EngineTables, now: datetime) -> None:
        self.conn = conn
        self.now = now
        self.tables = tables
        self.outbox = Outbox(tables.outbox, now)
        self.deliveries = DeliveryBook(now)
        self._rows: dict[Table, Rows] = {}
        self._writes: dict[int, tuple[Executable, list[dict[str, Any]]]] = {}

    def publish(self, event: Event) -> None:
        """Promise `event` to its topic: published if and only if this transaction commits."""
        self.outbox.add(event)

    def rows(self, table: Table) -> Rows:
        """The batch's view of `table`; only keys that were loaded may be read."""
        if table not in self._rows:
            self._rows[table] = Rows(table)
        return self._rows[table]

    async def load(self, table: Table, keys: Iterable[Key]) -> Rows:
        """The batch's view of `table` with `keys` loaded."""
        rows = self.rows(table)
        await rows.load(self.conn, keys)
        return rows

    def write(self, statement: Executable, **parameters: Any) -> None:
        """Collect a write; calls with the same statement object become one bulk execution."""
        self._writes.setdefault(id(statement), (statement, []))[1].append(parameters)

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Execute now, after what was collected so far."""
        await self.flush()
        return await self.conn.execute(statement, parameters)

    async def apply(self, then: Then | None) -> None:
        """Run what follows from an outcome."""
        if then is not None and inspect.isawaitable(result := then(self)):
            await result

    async def flush(self) -> None:
        """Write everything that was collected."""
        for rows in self._rows.values():
            await rows.flush(self.conn)
        writes, self._writes = self._writes, {}
        for statement, parameters in writes.values():
            await self.conn.execute(statement, parameters)
        await self.outbox.flush(self.conn)
        await self.deliveries.flush(self.conn)
