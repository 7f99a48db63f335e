"""uvicorn's HTTP/1.1 protocol with limits: none of its own bounds a head, a slow sender or a full house (decision 108).

llhttp (behind httptools) is strict: it refuses a length beside a transfer coding, a length given twice or
not plain digits, folded lines, bare line feeds. What it lets pass and we do not is in `_fault`.
"""

import asyncio
from collections import deque
from typing import Any, Final, Literal

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from supportops.runtime.http_limits import (
    BODY_TOO_LARGE,
    CROWDED,
    HEAD_TOO_LARGE,
    MALFORMED,
    SLOW,
    ConnectionGuard,
    Refusal,
    Stage,
)

PIPELINED: Final = 4  # requests that may wait behind one in hand
CRUMBS: Final = 1024  # pieces of a body; after so many they must have been
CRUMB: Final = 16  # bytes long on average: a chunk of one byte costs as much as one of a thousand
LINGER: Final = 1.0  # seconds for a client to read why it was refused

Owed = Literal["head", "body", ""]


class _Refused(Exception):
    """Raised inside a callback of the parser, to stop it at once."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.cause)
        self.refusal = refusal


class GuardedProtocol(HttpToolsProtocol):
    """One connection. It owes us a head or a body, or nothing while its requests are in hand or between two.

    `_quiet` counts the bytes since the parser last told of progress: an endless head, chunk extension or trailer
    tells nothing, and costs the square of its length.
    """

    def __init__(
        self,
        guard: ConnectionGuard,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._guard, self._limits = guard, guard.limits
        self._stage: Stage = "busy"
        self._owed: Owed = "head"
        self._timed: Owed = ""
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._admitted = self._spoken = self._deaf = False
        self._quiet = self._received = self._crumbs = 0
        self._held: deque[int] = deque()  # body bytes of each request that is not answered yet

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._admitted = self._guard.admit()
        if not self._admitted:
            self.refuse(CROWDED)
            return
        self._to("new")
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._spoken, self._owed = True, self._owed or "head"
        try:
            for start in range(0, len(data), self._limits.head_bytes):
                self._feed(data[start : start + self._limits.head_bytes])
        except httptools.HttpParserUpgrade:
            # We speak no other protocol: answered as if it had not asked. What follows is not HTTP to a proxy.
            self._deaf, self._owed, self.cycle.keep_alive = True, "", False
            self._watch()
        except httptools.HttpParserError as error:
            why = error.__context__
            self.refuse(why.refusal if isinstance(why, _Refused) else MALFORMED)
        except _Refused as why:
            self.refuse(why.refusal)
        else:
            self._watch()

    def _feed(self, piece: bytes) -> None:
        self._quiet += len(piece)
        self.parser.feed_data(piece)
        if self._quiet >= self._limits.head_bytes and self._owed:
            raise _Refused(HEAD_TOO_LARGE if self._owed == "head" else MALFORMED)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(self._limits.write_time, self._drop, "slow_reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    # What the parser tells

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED:
            raise _Refused(MALFORMED)
        self._owed, self._quiet = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        refusal = self._fault()
        if refusal is not None:
            raise _Refused(refusal)
        self._disarm()
        self._owed, self._quiet, self._received, self._crumbs = "body", 0, 0, 0
        self._held.append(0)
        super().on_headers_complete()
        self.headers = []  # the app has the old list: a trailer does not become a header

    def _fault(self) -> Refusal | None:
        version, hosts = self.parser.get_http_version(), 0
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                return BODY_TOO_LARGE
            if name == b"transfer-encoding" and (value.lower() != b"chunked" or version != "1.1"):
                return MALFORMED
            hosts += name == b"host"
        return MALFORMED if hosts > 1 or version not in ("1.0", "1.1") else None

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        self._received += len(body)
        self._crumbs += 1
        if self._received > self._limits.body_bytes:
            raise _Refused(BODY_TOO_LARGE)
        if self._crumbs > CRUMBS and self._received < CRUMB * self._crumbs:
            raise _Refused(MALFORMED)
        super().on_body(body)
        if not self.cycle.response_complete:
            self._held[-1] += len(body)
            self._guard.hold(len(body))
            if self._deaf:  # it was ours that had to go
                raise _Refused(CROWDED)

    def on_message_complete(self) -> None:
        self._owed = ""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._guard.held -= self._held.popleft() if self._held else 0
        if self.transport.is_closing() and not self._timer:  # it closes when the client has read the answer
            self._timer = self.loop.call_later(self._limits.write_time, self._drop, "slow_reader")
        elif not self._held and not self._owed:
            self._to("idle")
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        self._drop("")

    # What we do about it

    def _watch(self) -> None:
        """After each read: where this connection stands, and the deadline of what it owes."""
        if self._owed == "body":
            self._to("receiving")
        elif self._held:
            self._to("busy")
        elif not self._owed:  # a body that came after its answer
            self._to("idle")
            self._unset_keepalive_if_required()
            time = self._limits.keep_alive
            self.timeout_keep_alive_task = self.loop.call_later(time, self.timeout_keep_alive_handler)
        if self._owed != self._timed:
            self._disarm()
            if self._owed:
                time = self._limits.head_time if self._owed == "head" else self._limits.body_time
                self._timer, self._timed = self.loop.call_later(time, self._late), self._owed

    def _late(self) -> None:
        if self._spoken:
            self.refuse(SLOW)
        else:
            self._drop("")  # a probe of the port, or a browser that thought ahead

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timed = None, ""

    def _to(self, stage: Stage) -> None:
        if self._admitted and stage != self._stage:
            self._guard.move(self, self._stage, stage)
            self._stage = stage

    def refuse(self, refusal: Refusal) -> None:
        """Answer, if this client can still tell to what, and close soon."""
        if self._deaf:
            return
        self._deaf = True
        self._guard.tell(refusal.cause, client=self.client[0] if self.client else "")
        self._disarm()
        if self._mixed_up():
            self._drop("")
            return
        self._abandon()
        self.transport.write(_answer(refusal))
        if not self._admitted:
            self.transport.close()
            return
        # Closing with unread bytes would reset the connection, and the answer with it.
        self.transport.pause_reading()
        self.transport.write_eof()
        self._to("leaving")
        self._timer = self.loop.call_later(LINGER, self._drop, "")

    def _mixed_up(self) -> bool:
        """Whether an answer now would be taken for that of another request, or stand in the middle of one."""
        request = self._request()
        if request is None:
            return False
        if self._owed == "body":
            return bool(self.pipeline) or request.response_started
        return not request.response_complete

    def _request(self) -> RequestResponseCycle | None:
        """The latest request, answered or not; uvicorn's own annotation knows no connection without one."""
        return self.cycle

    def _abandon(self) -> None:
        """The app learns that its client is gone, and what it was sent is let go."""
        request = self._request()
        if request is not None and not request.response_complete:
            request.disconnected = True
            request.body = bytearray()
            request.message_event.set()
        self._guard.held -= sum(self._held)
        self._held.clear()

    def give_way(self, stage: Stage) -> None:
        """Make room for another connection."""
        if stage == "receiving":
            self.refuse(CROWDED)
        else:
            self._drop("")

    def _drop(self, cause: str) -> None:
        if cause:
            self._guard.tell(cause, client=self.client[0] if self.client else "")
        self._deaf = True
        self._leave()
        self.transport.abort()

    def _leave(self) -> None:
        self._disarm()
        if self._writing is not None:
            self._writing.cancel()
        self._guard.held -= sum(self._held)
        self._held.clear()
        if self._admitted:
            self._guard.leave(self, self._stage)
            self._admitted = False


def _answer(refusal: Refusal) -> bytes:
    text = refusal.text.encode()
    head = [
        STATUS_LINE[refusal.status],
        b"content-type: text/plain; charset=utf-8\r\n",
        b"content-length: %d\r\n" % len(text),
        b"connection: close\r\n",
    ]
    if refusal.status == 503:
        head.append(b"retry-after: 55\r\n")  # below 60 s, else Zendesk does not come again
    return b"".join((*head, b"\r\n", text))
