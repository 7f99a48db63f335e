"""The database of one service: connections, transactions, and the only commit."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiosqlite
from sqlalchemy import Text, column, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from supportops.clock import Clock
from supportops.config import DatabaseSettings
from supportops.store.key_lookup import parameter_rows
from supportops.store.outbox import OutboxRow
from supportops.store.postgres import Connections, create_postgres_engine
from supportops.store.tables import ENGINE
from supportops.store.transaction import Transaction
from supportops.store.writes import Shape, Write

_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
CHANNEL = "supportops_deliveries"  # PostgreSQL's NOTIFY
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
)

SEPARATOR = ","  # between destinations in a notification


def _notify(dialect: str, prefix: str) -> Any:
    named = parameter_rows({"destinations": column("destinations", Text)}, dialect, prefix)
    return select(func.pg_notify(CHANNEL, named["destinations"]))


_NOTIFY = Shape(_notify)


class Store:
    """A service's database. Processes of one service share the database, not this object."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self.clock = clock
        self.tables = ENGINE
        self.dialect: str = engine.dialect.name
        # SQLite has one writer: waiting here is cheaper than its busy handler, which sleeps in a thread.
        self._one_writer = asyncio.Lock() if self.dialect == "sqlite" else None
        self._on_outbox: list[Callable[[list[OutboxRow]], None]] = []
        self._on_deliveries: list[Callable[[set[str]], None]] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: flushed and committed when the block ends, rolled back when it raises.

        After the commit the relay and the courier of this process hear of their new rows.
        """
        async with self._begun() as (tx, conn):
            yield tx
            await tx.finish(self._notification(tx))
            await conn.commit()
        self._announce(tx)

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[Transaction]:
        """A transaction that is written like any other, so that mistakes show, and then rolled back: nothing stays."""
        async with self._begun() as (tx, conn):
            yield tx
            await tx.flush()
            await conn.rollback()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[tuple[Transaction, AsyncConnection]]:
        async with AsyncExitStack() as stack:
            if self._one_writer is not None:
                await stack.enter_async_context(self._one_writer)
            conn = await stack.enter_async_context(self._engine.connect())
            if self.dialect == "sqlite":
                await conn.begin()  # PostgreSQL's begins with its first statement
            yield Transaction(conn, self.tables, self.clock.now()), conn

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading: never blocks a writer, leaves nothing behind.

        On PostgreSQL without a transaction: a statement is one round trip instead of three.
        """
        async with self._engine.connect() as conn:
            options = (
                {"sqlite_begin": "BEGIN"} if self.dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
            )
            yield await conn.execution_options(**options)

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single statements that write: on PostgreSQL each is its own transaction, and one round trip
        instead of three; on SQLite they share one.
        """
        if self.dialect != "sqlite":
            async with self.reading() as conn:
                yield conn
        else:
            async with self.transaction() as tx:
                yield tx.conn

    def on_outbox(self, listener: Callable[[list[OutboxRow]], None]) -> None:
        """Call `listener` with the rows of each commit that promised events."""
        self._on_outbox.append(listener)

    def on_deliveries(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` with the destinations of each commit that touched deliveries."""
        self._on_deliveries.append(listener)

    def _notification(self, tx: Transaction) -> Write | None:
        """What wakes the couriers of other processes; not needed where one of our own will look at once."""
        if self.dialect != "postgresql" or not tx.deliveries.destinations or self._on_deliveries:
            return None
        return Write(_NOTIFY, [{"destinations": SEPARATOR.join(sorted(tx.deliveries.destinations))}])

    def _announce(self, tx: Transaction) -> None:
        if tx.outbox.rows:
            for on_outbox in self._on_outbox:
                on_outbox(tx.outbox.rows)
        if tx.deliveries.destinations:
            for on_deliveries in self._on_deliveries:
                on_deliveries(tx.deliveries.destinations)


def async_url(url: str) -> URL:
    """`url` with the asynchronous driver of its database.

    Raises ValueError for a database that we do not speak.
    """
    parsed = make_url(url)
    family = parsed.drivername.partition("+")[0]
    if family not in _DRIVERS:
        raise ValueError(f"unknown database {family!r}: use postgresql://… or sqlite:///…")
    return parsed.set(drivername=_DRIVERS[family])


@asynccontextmanager
async def open_store(
    settings: DatabaseSettings, *, clock: Clock, patient: bool = False
) -> AsyncIterator[Store]:
    """Open the database named by `settings`; it is closed when the block ends.

    `patient`: for an operator's command, whose statements may take long; nobody else waits for them.
    """
    engine = _create_engine(async_url(settings.address()), settings, patient)
    threads = SqliteThreads(engine) if engine.dialect.name == "sqlite" else None
    connections = Connections(engine) if threads is None else None
    try:
        yield Store(engine, clock)
    finally:
        if connections is None:
            await engine.dispose()
        else:
            await connections.close(engine)
        if threads is not None:
            await threads.ended()


class SqliteThreads:
    """The threads of aiosqlite, one for each connection.

    A statement that was cancelled goes on in its thread, and the pool gives up such a connection without waiting: its
    thread would answer to a loop that is closed by then, and die of it. So whoever closes the store waits for them.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._threads: list[threading.Thread] = []
        event.listen(engine.sync_engine, "do_connect", self._count)

    def _count(self, _dialect: Any, _record: Any, _args: Any, options: dict[str, Any]) -> None:
        options["async_creator_fn"] = self._open

    def _open(self, *args: Any, **options: Any) -> aiosqlite.Connection:
        connection = aiosqlite.connect(*args, **options)
        connection._thread.daemon = True  # as SQLAlchemy does for connections of its own making
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), connection._thread]
        return connection

    async def ended(self, within: float = 10.0) -> None:
        """Returns when all have ended, or after `within` seconds: a statement may take that long and longer."""
        await asyncio.to_thread(self._join, time.monotonic() + within)

    def _join(self, deadline: float) -> None:
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _create_engine(url: URL, settings: DatabaseSettings, patient: bool) -> AsyncEngine:
    # No parameters in error messages: they are customers' data, and messages are logged.
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": settings.pool,
        "max_overflow": 0,
        "pool_timeout": 10,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, **options)
        prepare_sqlite(engine)
        return engine
    return create_postgres_engine(url, patient=patient, **options)


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Durable, concurrent and strict SQLite, with transactions that we begin ourselves."""

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        # IMMEDIATE takes the write lock at once: a transaction that reads first cannot fail later on upgrading.
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))
