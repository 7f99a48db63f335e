"""A small HTTP/1.1 client for the sender: pooled keep-alive connections and httptools' parser.

httpx costs about a millisecond of CPU per request, which on a shared core would be most of what the receiver needs.
"""

import asyncio
import ssl
from collections import defaultdict
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

from sandbox.zendesk.retries import Answer

IDLE_SECONDS = 2.0  # below any server's keep-alive time, so that a pooled connection is not just being closed


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.reusable = False
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after: str | None = None
        self._answer: asyncio.Future[Answer] | None = None

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail(ConnectionError(str(exc or "closed without an answer")))

    # --- httptools ---

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_message_complete(self) -> None:
        self.reusable = self._parser.should_keep_alive()
        status = self._parser.get_status_code()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, self._retry_after))

    # --- ours ---

    async def ask(self, request: bytes) -> Answer:
        if self.transport is None or self.transport.is_closing():
            raise ConnectionError("closed before the request")
        self._retry_after = None
        self.reusable = False
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, error: ConnectionError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Poster:
    """Posts to any http(s) URL. Raises OSError (also ConnectionError); the caller bounds the time."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str], list[Line]] = defaultdict(list)
        self._tls: ssl.SSLContext | None = (
            None  # made when first needed: loading the authorities takes a while
        )

    async def __call__(
        self, url: str, headers: list[tuple[str, str]], body: bytes, method: str = "POST"
    ) -> Answer:
        target = urlsplit(url)
        key = (target.scheme, target.netloc)
        line = self._pooled(key) or await self._connect(target)
        done = False
        try:
            answer = await line.ask(_request(target, headers, body, method))
            done = True
        finally:
            if done and line.reusable:
                line.idle_since = asyncio.get_running_loop().time()
                self._idle[key].append(line)
            else:
                line.close()
        return answer

    def close(self) -> None:
        for lines in self._idle.values():
            for line in lines:
                line.close()
        self._idle.clear()

    def _pooled(self, key: tuple[str, str]) -> Line | None:
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self._idle[key]:
            line = self._idle[key].pop()
            if line.idle_since >= oldest and line.transport is not None and not line.transport.is_closing():
                return line
            line.close()
        return None

    async def _connect(self, target: SplitResult) -> Line:
        tls = self._context() if target.scheme == "https" else None
        port = target.port or (443 if tls else 80)
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, target.hostname or "", port, ssl=tls)
        return line

    def _context(self) -> ssl.SSLContext:
        self._tls = self._tls or ssl.create_default_context()
        return self._tls


def _request(target: SplitResult, headers: list[tuple[str, str]], body: bytes, method: str) -> bytes:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
