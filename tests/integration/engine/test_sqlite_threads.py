"""A statement that is cancelled goes on in SQLite's thread: the store is closed when that has come to its end."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from supportops.store.engine import SqliteThreads
from supportops.store.migrate import upgrade
from tests.support.commands import run_fork
from tests.support.databases import on_the_side
from tests.support.engine import store_on
from tests.support.eventually import eventually

LONG = text("""
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000000)
    SELECT count(*) FROM numbers
""")


MOMENTS = 8  # turns of the loop before the first cancellation: what hangs depends on where it strikes


async def cancel_in_the_middle(url: str, before: set[threading.Thread], turns: int) -> set[threading.Thread]:
    """Leave a store whose one statement was cancelled some turns after it began; the threads that are left then."""

    async def ask() -> None:
        async with store.reading() as conn:
            asked.set()
            await conn.execute(LONG)

    asked = asyncio.Event()
    async with store_on(url) as store:
        asking = asyncio.create_task(ask())
        await asked.wait()
        await eventually(lambda: set(threading.enumerate()) - before)
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(3):  # to the statement itself, and again while the pool takes leave of its connection
            await asyncio.sleep(0)
            asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name} - before


def exit_with_the_threads_left(url: str) -> None:
    """In a process of its own: its exit code is how many threads are left."""

    def try_many_moments() -> int:
        before = set(threading.enumerate())
        return sum(len(asyncio.run(cancel_in_the_middle(url, before, turns))) for turns in range(MOMENTS))

    os._exit(on_the_side(try_many_moments))


def test_no_thread_outlives_its_store(tmp_path: Path) -> None:
    """A statement that answers to a loop that is gone can hang its process: that is killed, and the test fails."""
    assert run_fork(exit_with_the_threads_left, f"sqlite:///{tmp_path}/db", within=10) == 0


def test_a_migration_waits_for_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its database cannot be opened, a thread would now and then answer to a loop that is closed by then."""
    left: list[threading.Thread] = []
    wait = SqliteThreads.ended

    async def waited(threads: SqliteThreads) -> None:
        await wait(threads)
        left.extend(threads._threads)

    monkeypatch.setattr(SqliteThreads, "ended", waited)
    with pytest.raises(OperationalError):
        upgrade(f"sqlite:///{tmp_path}/not-there/x.db", "tests.support.engine_app")
    assert [thread.is_alive() for thread in left] == [False]
