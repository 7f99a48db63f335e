"""ingest's HTTP side: the webhook endpoint (bytes in, 200 out) and the operators' counts
(docs/vendors/zendesk.md#answers).

The endpoint is plain ASGI in front of FastAPI, whose machinery would halve its throughput. Every answer is one
of the few below; none is a 500, which Zendesk would not send again.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from pydantic import SecretStr

from ingest.webhooks import signature
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake, NotKept
from ingest.webhooks.parse import PATHS, Road
from ingest.webhooks.repository import PATH, SignedRequest
from supportops.clock import Clock
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

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

_log = get_logger("ingest.webhooks")


def _answer(status: int, text: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    common = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    return status, [*common, *headers], text


KEPT: Final[Answer] = (200, [(b"content-length", b"0")], b"")  # the least to write
REFUSED: Final = _answer(401, b"the signature is not one of ours")
UNSIGNED: Final = _answer(401, b"this is not signed", (b"connection", b"close"))  # its body is not read
NOT_POST: Final = _answer(405, b"POST only", (b"allow", b"POST"))
AGAIN: Final = _answer(503, b"try again", (b"retry-after", b"55"))  # below 60 s, else Zendesk gives up


class _Gone(Exception):
    """The sender closed the connection before its body was complete."""


class WebhookEndpoint:
    """POST to one of PATHS as an ASGI application; each road has its signing secrets."""

    def __init__(
        self,
        intake: Intake,
        secrets: Mapping[Road, Sequence[SecretStr]],
        freshness: Freshness,
        clock: Clock,
        metrics: Recorder,
    ) -> None:
        self._intake = intake
        self._secrets = {
            path: [secret.get_secret_value().encode() for secret in secrets[road]]
            for path, road in PATHS.items()
        }
        self._freshness = freshness
        self._clock = clock
        self._metrics = metrics
        self._warnings = LimitedWarnings(_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        try:
            status, headers, text = await self._respond(scope, receive)
        except _Gone:
            return
        except NotKept:
            status, headers, text = AGAIN
        except Exception as error:  # noqa: BLE001  # a 500 would lose the webhook, a 503 brings it again
            self._warnings.error("webhook.failed", type(error).__name__, exc_info=error)
            status, headers, text = AGAIN
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})
        self._metrics.observe("webhook_answer_seconds", time.perf_counter() - begin, status=str(status))

    async def _respond(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return NOT_POST
        headers: dict[bytes, bytes] = dict(scope["headers"])
        digest = signature.claimed(headers.get(b"x-zendesk-webhook-signature"))
        timestamp = headers.get(b"x-zendesk-webhook-signature-timestamp")
        if digest is None or not timestamp:
            return self._refuse("unsigned", UNSIGNED)
        body = await _read(receive)
        if not signature.is_signed(self._secrets[scope["path"]], timestamp, body, digest):
            return self._refuse("bad-signature", REFUSED)
        now = self._clock.now()
        self._freshness.look(timestamp, now)
        await self._intake.accept(SignedRequest(now, _kept(headers) | {PATH: scope["path"]}, body))
        return KEPT

    def _refuse(self, why: str, answer: Answer) -> Answer:
        """401. Anybody can cause these, so the log gets one line in a while, the metric all of them."""
        self._metrics.count("webhooks", disposition="refused")
        self._warnings.warning("webhook.refused", why)
        return answer


async def _read(receive: Receive) -> bytes:
    """The whole body; the server bounds its length and its time. Raises _Gone."""
    message = await receive()
    pieces: list[bytes] = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        pieces.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise _Gone
    return b"".join(pieces)


def _kept(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers worth keeping: no credentials."""
    return {name.decode(): headers[name].decode("latin-1")[:300] for name in KEPT_HEADERS if name in headers}
