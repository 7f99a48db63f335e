"""A statement that is cancelled goes on in SQLite's thread: the store is closed when that has come to its end."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.databases import on_the_side
from tests.support.engine import store_on
from tests.support.eventually import eventually

LONG = text("""
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000000)
    SELECT count(*) FROM numbers
""")


async def cancel_in_the_middle(url: str, before: set[threading.Thread]) -> set[threading.Thread]:
    """Leave a store whose one statement was cancelled while it ran; the threads that are left then."""

    async def ask() -> None:
        async with store.reading() as conn:
            asked.set()
            await conn.execute(LONG)

    asked = asyncio.Event()
    async with store_on(url) as store:
        asking = asyncio.create_task(ask())
        await asked.wait()
        await eventually(lambda: set(threading.enumerate()) - before)
        for _ in range(3):  # to the statement itself, and again while the pool takes leave of its connection
            await asyncio.sleep(0)
            asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name} - before


def test_no_thread_outlives_its_store(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    url = f"sqlite:///{tmp_path}/db"
    assert on_the_side(lambda: asyncio.run(cancel_in_the_middle(url, before))) == set()
