"""Signed webhooks and a small load generator: keep-alive connections, raw HTTP/1.1, paced or flat out."""

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson

from tests.support.system import SECRET
from tests.support.zendesk_bodies import ACCOUNT, DETAIL


def comment_added(number: int, tickets: int = 2000) -> bytes:
    """A native `comment_added` body of about 2 KB; `number` is also the comment's id."""
    now = datetime.now(UTC)
    ticket = str(1000 + number % tickets)
    detail = DETAIL | {
        "id": ticket,
        "tags": [f"group_{number % 100}", "premium"],
        "updated_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": "It does not start any more since the upgrade. " * 12,
    }
    comment = {
        "id": str(10_000_000 + number),
        "body": "We looked at the log and see that the runner is not registered. " * 8,
        "is_public": True,
        "author": {"id": "8447388090494", "is_staff": True, "name": "Ada Agent"},
    }
    sequence = {"id": f"39{number:030d}", "position": 1}
    body = {
        "account_id": int(ACCOUNT),
        "detail": detail,
        "event": {"comment": comment, "meta": {"sequence": sequence}},
        "id": str(uuid.uuid4()),
        "subject": f"zen:ticket:{ticket}",
        "time": now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        "type": "zen:event-type:ticket.comment_added",
        "zendesk_event_version": "2022-11-06",
    }
    return orjson.dumps(body)


def request(url: str, body: bytes) -> bytes:
    """The whole HTTP request, signed now."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    digest = hmac.new(SECRET.encode(), stamp + body, hashlib.sha256).digest()
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"X-Zendesk-Webhook-Signature: {base64.b64encode(digest).decode()}\r\n"
        f"X-Zendesk-Webhook-Signature-Timestamp: {stamp.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Load:
    """What came of a load: answers by status, seconds per answer, when each number was sent."""

    statuses: dict[int, int] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    sent_at: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.answers) / self.seconds


async def flat_out(url: str, requests: Sequence[bytes], connections: int = 64) -> Load:
    """Send prepared requests as fast as the answers come."""
    load, waiting = Load(), iter(enumerate(requests))
    begun = time.monotonic()
    await asyncio.gather(*(_connection(url, waiting, load) for _ in range(connections)))
    load.seconds = time.monotonic() - begun
    return load


async def _connection(url: str, waiting: Iterator[tuple[int, bytes]], load: Load) -> None:
    async with _open(url) as (reader, writer):
        for number, data in waiting:  # one iterator, shared by all connections
            await _exchange(reader, writer, data, number, load)


async def paced(url: str, count: int, rate: float, first: int = 0, connections: int = 32) -> Load:
    """Send `count` comments, numbered from `first`, at `rate` a second; each is signed and stamped at its moment."""
    load, queue = Load(), asyncio.Queue[int]()
    begun = time.monotonic()

    async def feed() -> None:
        for number in range(count):
            if (wait := begun + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            queue.put_nowait(first + number)
        for _ in range(connections):
            queue.put_nowait(-1)

    async def send() -> None:
        async with _open(url) as (reader, writer):
            while (number := await queue.get()) >= 0:
                await _exchange(reader, writer, request(url, comment_added(number)), number, load)

    await asyncio.gather(feed(), *(send() for _ in range(connections)))
    load.seconds = time.monotonic() - begun
    return load


@asynccontextmanager
async def _open(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, number: int, load: Load
) -> None:
    load.sent_at[number] = time.time()
    begun = time.monotonic()
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ),
        0,
    )
    if length:
        await reader.readexactly(length)
    elif b"chunked" in head:
        await reader.readuntil(b"0\r\n\r\n")
    load.answers.append(time.monotonic() - begun)
    status = int(head.split(b" ", 2)[1])
    load.statuses[status] = load.statuses.get(status, 0) + 1
