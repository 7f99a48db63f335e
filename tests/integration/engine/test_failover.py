"""The database's host goes away without a word: old connections hang, new ones reach the server that took over."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from faulty.core.proxy import FaultyProxy
from faulty.middlewares import BaseMiddleware
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.store import Store, is_outage, open_store, postgres
from supportops.store.postgres import ASK_AFTER_IDLE
from tests.support.engine import store_on
from tests.support.eventually import eventually

pytestmark = [
    pytest.mark.parametrize("dialect", ["postgres"], indirect=True),
    pytest.mark.timeout(180),
]
CONNECTIONS = 10
SOON = 20.0  # seconds


class Frozen(BaseMiddleware):  # type: ignore[misc]  # the package has no types
    """Once `freeze` is called, connections that were open until then carry nothing any more, and are not closed."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[Any] | None] = set()
        self._frozen: set[asyncio.Task[Any] | None] = set()

    def freeze(self) -> None:
        self._frozen = set(self._open)

    async def process(self, chunk: bytes) -> AsyncGenerator[bytes]:
        pipe = asyncio.current_task()
        self._open.add(pipe)
        if pipe in self._frozen:
            await asyncio.Event().wait()
        yield chunk


@asynccontextmanager
async def through_a_proxy(url: str) -> AsyncIterator[tuple[str, Frozen]]:
    """The database's URL by way of a proxy, and its switch."""
    parts, frozen = urlsplit(url), Frozen()
    proxy = FaultyProxy("127.0.0.1", 0, parts.hostname, parts.port or 5432)
    proxy.add_egress_rule(frozen)
    proxy.add_ingress_rule(frozen)
    server = await asyncio.start_server(proxy._handle_client, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    try:
        yield (
            parts._replace(netloc=f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}").geturl(),
            frozen,
        )
    finally:
        server.close()


async def hold_all(store: Store) -> None:
    """Open every connection of the pool."""
    together = asyncio.Barrier(CONNECTIONS)

    async def hold() -> None:
        async with store.reading() as conn:
            await conn.execute(text("SELECT 1"))
            await together.wait()

    await asyncio.gather(*(hold() for _ in range(CONNECTIONS)))


async def works_again(store: Store) -> float:
    """Seconds until a loop that takes an outage for an outage has done a transaction."""
    started, verdicts = time.monotonic(), list[bool]()

    async def attempt() -> bool:
        try:
            async with store.transaction() as tx:
                await tx.execute(text("SELECT 1"))
        except (DBAPIError, PoolTimeout, OSError) as error:
            verdicts.append(is_outage(error))
            return False
        return True

    await eventually(attempt, within=170)
    assert all(verdicts)
    return time.monotonic() - started


async def test_a_pool_of_frozen_connections_costs_one_time_out(app_database: str) -> None:
    async with through_a_proxy(app_database) as (url, frozen), store_on(url, pool=CONNECTIONS) as store:
        await hold_all(store)
        frozen.freeze()
        took = await asyncio.gather(*(works_again(store) for _ in range(3)))
        assert max(took) < SOON


async def test_connections_that_were_idle_are_asked_first(app_database: str) -> None:
    async with through_a_proxy(app_database) as (url, frozen), store_on(url, pool=CONNECTIONS) as store:
        await hold_all(store)
        frozen.freeze()
        idle_until = time.monotonic() + ASK_AFTER_IDLE
        await eventually(lambda: time.monotonic() > idle_until, within=2 * ASK_AFTER_IDLE)
        assert await works_again(store) < SOON / 2


async def test_a_server_that_only_reads_any_more_is_left_for_the_one_that_took_over(
    app_database: str,
) -> None:
    """What was the primary is a replica now: the old connections stay open, and each would refuse writes for ever."""
    admin = await asyncpg.connect(app_database)
    name = urlsplit(app_database).path.removeprefix("/")
    try:
        await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        async with store_on(app_database, pool=CONNECTIONS) as store:
            await hold_all(store)
            await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            with pytest.raises(DBAPIError) as refused:
                await write(store)
            assert is_outage(refused.value)
            await write(store)
    finally:
        await admin.close()


async def write(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))


async def test_what_does_not_answer_any_more_is_not_waited_for_when_the_store_is_closed(
    app_database: str,
) -> None:
    """A process that is told to stop in the middle of a fail-over has seconds, not a minute per connection."""
    async with through_a_proxy(app_database) as (url, frozen):
        async with store_on(url, pool=CONNECTIONS) as store:
            await hold_all(store)
            frozen.freeze()
            closing = time.monotonic()
        assert time.monotonic() - closing < SOON / 2


async def test_a_process_gives_up_a_statement_soon_and_an_operators_command_does_not(
    app_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statement of a second: longer than a process may wait, and nothing to a recount."""
    monkeypatch.setattr(postgres, "COMMAND_TIMEOUT", 0.3)
    settings = DatabaseSettings(url=SecretStr(app_database))
    for patient in (False, True):
        async with open_store(settings, clock=SystemClock(), patient=patient) as store:
            if patient:
                await work_for_a_second(store)
            else:
                with pytest.raises((DBAPIError, TimeoutError)) as caught:
                    await work_for_a_second(store)
                assert is_outage(caught.value)


async def work_for_a_second(store: Store) -> None:
    async with store.reading() as conn:
        await conn.execute(text("SELECT pg_sleep(1)"))
