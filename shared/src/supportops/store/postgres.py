"""Connections to PostgreSQL that notice a server which is gone without a word: a fail-over, a cut cable.

A statement has `COMMAND_TIMEOUT`, in an operator's command `PATIENT_TIMEOUT`. A connection that was idle for a while
(after a statement that ran into its time-out, each of the others) is asked first, and has `PING_TIMEOUT` to answer; the
first that does not throws the whole pool away, for the others are as old. The kernel gives up on a peer that no longer
acknowledges anything. A server that answers and takes no writes any more was the primary: its pool is thrown away too.
"""

import asyncio
import socket
import time
import weakref
from typing import Any

import asyncpg
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from supportops.store.outage import READ_ONLY

CONNECT_TIMEOUT = 5.0  # seconds, as all below
COMMAND_TIMEOUT = 12.0
PATIENT_TIMEOUT = (
    1800.0  # of an operator's command: a recount or a backfill has statements that work for minutes
)
PING_TIMEOUT = 2.0
CLOSE_TIMEOUT = 5.0  # for all connections together
ASK_AFTER_IDLE = 5.0
_PEER_GONE_MS = 10_000
_NO_ANSWER = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)  # TimeoutError is an OSError

# Each statement of ours goes by an index. Left to itself PostgreSQL plans it once, while a table is empty, reads the
# whole table for it, and keeps that plan until its statistics are renewed: a minute too late (decision 0007).
POSTGRES_SETTINGS = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


def create_postgres_engine(url: URL, *, patient: bool = False, **options: Any) -> AsyncEngine:
    """An engine whose pool is trusted no longer than its connections answer; `patient`: for an operator's command."""
    connect = {
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": PATIENT_TIMEOUT if patient else COMMAND_TIMEOUT,
        "statement_cache_size": 500,
        "server_settings": dict(POSTGRES_SETTINGS),
    }
    engine = create_async_engine(url, connect_args=connect, **options)
    event.listen(engine.sync_engine, "connect", _watch_peer)
    event.listen(engine.sync_engine, "checkout", _ask_when_idle)
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "handle_error", _leave_replica)
    return engine


class Connections:
    """All connections of an engine, so that those of a server that is gone can be dropped: each would wait for its
    farewell to be acknowledged.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()
        event.listen(engine.sync_engine, "connect", self._note)

    def _note(self, connection: Any, _record: Any) -> None:
        self._opened.add(connection.driver_connection)

    async def close(self, engine: AsyncEngine) -> None:
        """Close them in order; what has not answered after `CLOSE_TIMEOUT` seconds is cut off."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await engine.dispose()
        except TimeoutError:
            for connection in list(self._opened):
                connection.terminate()
            await engine.dispose(close=False)


def _watch_peer(connection: Any, record: Any) -> None:
    """The kernel's own limits; a Unix socket has none and needs none."""
    record.info["used_at"] = time.monotonic()
    peer = connection.driver_connection._transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", _PEER_GONE_MS),
        ("TCP_KEEPIDLE", 5),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
    ):
        if (option := getattr(socket, name, None)) is not None:  # not every system has each
            peer.setsockopt(socket.IPPROTO_TCP, option, value)


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _ask_when_idle(connection: Any, record: Any, _fairy: Any) -> None:
    """Ask a connection that was idle for a while; when it does not answer, all that are as old are thrown away."""
    if time.monotonic() - record.info["used_at"] < ASK_AFTER_IDLE:
        return
    try:
        await_only(asyncio.wait_for(connection.driver_connection.fetchrow(";"), PING_TIMEOUT))
    except _NO_ANSWER as error:
        connection.driver_connection.terminate()
        gone = exc.DisconnectionError("an idle connection does not answer")
        gone.invalidate_pool = True
        raise gone from error


def _leave_replica(context: ExceptionContext) -> None:
    """A server that has become a replica keeps our connections, and would refuse each write on each for ever."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True
