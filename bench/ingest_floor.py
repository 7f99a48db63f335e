"""Measured process: the floors of the ingest row. Arguments: bare|hand PORT [DATABASE_URL KAFKA].

`bare`: uvicorn and Starlette, answering 202. `hand`: raw ASGI, the same signature, the same two rows group-committed in
the same database, published by the same kind of relay; none of the spool, the dispositions, the metrics, the log.
"""

import asyncio
import base64
import hashlib
import hmac
import sqlite3
import sys
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from supportops.store.engine import SQLITE_PRAGMAS
from tests.support.system import SECRET

Rows = list[tuple[bytes, dict[str, Any]]]
HOOK = """INSERT INTO webhooks (key, received_at, headers, body, disposition, kind, reason, ticket_id, duplicates)
          VALUES ({}, {}, '{{}}', {}, 'published', {}, '', {}, 0) ON CONFLICT DO NOTHING"""
OUT = """INSERT INTO outbox (id, topic, key, value, headers, created_at, sweep_after)
         VALUES ({}, 'zendesk.tickets', {}, {}, {}, {}, {})"""
EMPTY = [(b"content-length", b"0")]
HEADERS = b'[["ce_type","support.ticket.commented.v1"]]'


class Hand:
    """Group commit by hand, in PostgreSQL or SQLite."""

    def __init__(self, url: str, kafka: str) -> None:
        self._url = url
        self._kafka = kafka
        self._queue: list[tuple[bytes, dict[str, Any], asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._published: asyncio.Queue[list[tuple[str, bytes, bytes]]] = asyncio.Queue()
        self._one = ThreadPoolExecutor(1)

    async def start(self) -> None:
        """Open what is needed and begin to write and publish."""
        self._producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all", enable_idempotence=True)
        await self._producer.start()
        if self._url.startswith("postgres"):
            self._pool = await asyncpg.create_pool(self._url, min_size=2, max_size=2)
        else:
            self._lite = await asyncio.get_running_loop().run_in_executor(self._one, self._open)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._relay())]

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)
        return connection

    async def accept(self, body: bytes, event: dict[str, Any]) -> None:
        """Returns when the rows are committed."""
        future = asyncio.get_running_loop().create_future()
        self._queue.append((body, event, future))
        self._work.set()
        await future

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                batch, self._queue = self._queue[:256], self._queue[256:]
                out = [(str(uuid.uuid4()), e["detail"]["id"].encode(), _value(e)) for _, e, _ in batch]
                await self._commit([(body, event) for body, event, _ in batch], out)
                self._published.put_nowait(out)
                for _, _, future in batch:
                    future.set_result(None)

    async def _commit(self, rows: Rows, out: list[tuple[str, bytes, bytes]]) -> None:
        now = datetime.now(UTC)
        hooks = [(e["id"], now, body, e["type"], e["detail"]["id"]) for body, e in rows]
        outs = [(row_id, key, value, HEADERS, now, now) for row_id, key, value in out]
        if self._url.startswith("postgres"):
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.executemany(HOOK.format(*(f"${n}" for n in range(1, 6))), hooks)
                await connection.executemany(OUT.format(*(f"${n}" for n in range(1, 7))), outs)
            return
        hooks = [(key, str(at), *rest) for key, at, *rest in hooks]
        outs = [(*rest, str(at), str(at)) for *rest, at, _ in outs]  # type: ignore[misc]
        await asyncio.get_running_loop().run_in_executor(self._one, self._commit_lite, hooks, outs)

    def _commit_lite(self, hooks: list[Any], outs: list[Any]) -> None:
        self._lite.execute("BEGIN IMMEDIATE")
        self._lite.executemany(HOOK.format(*"?????"), hooks)
        self._lite.executemany(OUT.format(*"??????"), outs)
        self._lite.execute("COMMIT")

    async def _relay(self) -> None:
        while True:
            rows = await self._published.get()
            while not self._published.empty():
                rows += self._published.get_nowait()
            sent = [
                await self._producer.send("zendesk.tickets", key=key, value=value) for _, key, value in rows
            ]
            await asyncio.gather(*sent)
            await self._forget([row_id for row_id, _, _ in rows])

    async def _forget(self, ids: list[str]) -> None:
        if self._url.startswith("postgres"):
            await self._pool.execute("DELETE FROM outbox WHERE id = ANY($1::text[])", ids)
            return
        await asyncio.get_running_loop().run_in_executor(self._one, self._forget_lite, ids)

    def _forget_lite(self, ids: list[str]) -> None:
        self._lite.execute("BEGIN IMMEDIATE")
        self._lite.executemany("DELETE FROM outbox WHERE id = ?", [(row_id,) for row_id in ids])
        self._lite.execute("COMMIT")


def _value(event: dict[str, Any]) -> bytes:
    detail, comment = event["detail"], event["event"]["comment"]
    return orjson.dumps(
        {"ticket_id": detail["id"], "version": event["time"], "ticket": detail, "comment": comment}
    )


def hand_app(hand: Hand) -> Callable[..., Awaitable[None]]:
    """The raw ASGI application."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await hand.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = dict(scope["headers"])
        stamp = headers[b"x-zendesk-webhook-signature-timestamp"]
        digest = hmac.new(SECRET.encode(), stamp + body, hashlib.sha256).digest()
        good = hmac.compare_digest(base64.b64decode(headers[b"x-zendesk-webhook-signature"]), digest)
        if good:
            await hand.accept(body, orjson.loads(body))
        await send({"type": "http.response.start", "status": 200 if good else 401, "headers": EMPTY})
        await send({"type": "http.response.body", "body": b""})

    return app


async def bare(_request: Request) -> Response:
    """The bare endpoint."""
    return Response(status_code=202)


def main(kind: str, port: str, url: str = "", kafka: str = "") -> None:
    """Serve the floor."""
    routes = [Route("/webhooks/zendesk", bare, methods=["POST"])]
    app: Any = Starlette(routes=routes) if kind == "bare" else hand_app(Hand(url, kafka))
    uvicorn.run(app, port=int(port), access_log=False, log_level="warning", loop="uvloop", http="httptools")


if __name__ == "__main__":
    main(*sys.argv[1:])
