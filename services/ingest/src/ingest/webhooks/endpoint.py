"""ingest's HTTP side: the webhook endpoint (bytes in, 200 out) and the operators' counts
(docs/vendors/zendesk.md#answers).

The hook is plain ASGI in front of FastAPI, whose machinery would halve its throughput. Every answer is one
of the few below; none is a 500, which Zendesk would not send again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr

from ingest.webhooks import signature
from ingest.webhooks.intake import Intake, NotKept
from ingest.webhooks.repository import SignedRequest
from supportops.clock import Clock
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

PATH: Final = "/webhooks/zendesk"
LARGEST_BODY: Final = 1024 * 1024
READ_TIME: Final = 8.0  # seconds for a body to arrive
WARN_EVERY: Final = 10.0  # seconds between two warnings about refused requests
KEPT_HEADERS: Final = (
    b"content-type",
    b"user-agent",
    b"x-zendesk-account-id",
    b"x-zendesk-webhook-id",
    b"x-zendesk-webhook-invocation-id",
    b"x-zendesk-webhook-signature-timestamp",
)

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

_log = get_logger("ingest.hook")


def _answer(status: int, text: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    common = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    return status, [*common, *headers], text


KEPT: Final[Answer] = (200, [(b"content-length", b"0")], b"")  # the least to write
REFUSED: Final = _answer(401, b"the signature is not one of ours")
NOT_POST: Final = _answer(405, b"POST only", (b"allow", b"POST"))
TOO_SLOW: Final = _answer(408, b"the body did not arrive in time", (b"connection", b"close"))
TOO_LARGE: Final = _answer(413, b"the body is larger than 1 MiB", (b"connection", b"close"))
AGAIN: Final = _answer(503, b"try again", (b"retry-after", b"55"))  # below 60 s, else Zendesk gives up


class _Gone(Exception):
    """The sender closed the connection before its body was complete."""


class WebhookEndpoint:
    """POST /webhooks/zendesk as an ASGI application."""

    def __init__(
        self,
        intake: Intake,
        secrets: tuple[SecretStr, ...],
        freshness: timedelta,
        clock: Clock,
        metrics: Recorder,
    ) -> None:
        self._intake = intake
        self._secrets = [secret.get_secret_value().encode() for secret in secrets]
        self._freshness = freshness
        self._clock = clock
        self._metrics = metrics
        self._refused = 0
        self._warned_at = -WARN_EVERY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        try:
            status, headers, text = await self._respond(scope, receive)
        except _Gone:
            return
        except NotKept:
            status, headers, text = AGAIN
        except Exception:  # noqa: BLE001  # a 500 would lose the webhook, a 503 brings it again
            _log.exception("webhook.failed")
            status, headers, text = AGAIN
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})
        self._metrics.observe("webhook_answer_seconds", time.perf_counter() - begin, status=str(status))

    async def _respond(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return NOT_POST
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if _announced_length(headers) > LARGEST_BODY:
            return TOO_LARGE
        try:
            async with asyncio.timeout(READ_TIME):
                body = await _read(receive)
        except TimeoutError:
            return TOO_SLOW
        if body is None:
            return TOO_LARGE
        now = self._clock.now()
        verdict = signature.verify(
            self._secrets,
            headers.get(b"x-zendesk-webhook-signature-timestamp"),
            headers.get(b"x-zendesk-webhook-signature"),
            body,
            (now, self._freshness) if self._freshness else None,
        )
        if verdict != "ok":
            return self._refuse(verdict)
        await self._intake.accept(SignedRequest(now, _kept(headers), body))
        return KEPT

    def _refuse(self, verdict: str) -> Answer:
        """401. Anybody can cause these, so the log gets one line in a while, the metric all of them."""
        self._refused += 1
        self._metrics.count("webhooks", disposition="refused")
        if time.monotonic() - self._warned_at >= WARN_EVERY:
            _log.warning("webhook.refused", verdict=verdict, requests=self._refused)
            self._refused, self._warned_at = 0, time.monotonic()
        return REFUSED


def _announced_length(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 20 else 0


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
    if message["type"] == "http.disconnect":
        raise _Gone
    return body if len(body) <= LARGEST_BODY else None


def _kept(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers worth keeping: no credentials."""
    return {name.decode(): headers[name].decode("latin-1")[:300] for name in KEPT_HEADERS if name in headers}
