"""Connections to PostgreSQL that stay open from test to test, for what is done in between: a new one costs the server
a process that has to learn the catalogue first, and the tests a thread with an event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from threading import Thread

import asyncpg


class KeptConnections:
    """One for each database, in a thread with an event loop of its own: this thread may belong to a test's loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._open: dict[str, asyncpg.Connection] = {}

    def use[T](self, url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """What `work` makes of the connection to that database."""
        return self._run(self._used(url, work))

    def close(self, url: str) -> None:
        """Close the connection to that database, for whoever copies or drops it."""
        if url in self._open:
            self._run(self._open.pop(url).close())

    def close_all(self) -> None:
        """Close them all, and end the thread."""
        for url in list(self._open):
            self.close(url)
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    async def _used[T](self, url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        connection = self._open.get(url)
        if connection is None or connection.is_closed():
            connection = self._open[url] = await asyncpg.connect(url)
        return await work(connection)

    def _run[T](self, work: Coroutine[None, None, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=self._loop.run_forever, name="kept connections", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


KEPT = KeptConnections()
"""Those of this process; `close_all` when it ends."""
