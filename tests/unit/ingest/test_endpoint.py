"""The webhook endpoint without a server: what it reads, and that no failure of ours is a 500.

See docs/vendors/zendesk.md#answers.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from ingest.webhooks.endpoint import WebhookEndpoint
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake, NotKept
from ingest.webhooks.repository import SignedRequest
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from tests.support import zendesk_bodies as z
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
BODY = z.sample("ticket.created")


class FakeIntake:
    """Keeps what it is given, or fails as it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.received: list[SignedRequest] = []

    async def accept(self, received: SignedRequest) -> str:
        if self.error is not None:
            raise self.error
        self.received.append(received)
        return "stored"


def endpoint_on(intake: FakeIntake, freshness: Freshness | None = None) -> WebhookEndpoint:
    clock = ManualClock(NOW)
    secrets = {"native": [SecretStr(z.SECRET)], "trigger": [SecretStr("of triggers")]}
    watch = freshness or Freshness(timedelta(minutes=5), clock, Metrics())
    return WebhookEndpoint(cast("Intake", intake), cast("Any", secrets), watch, clock, Metrics())


def scope(headers: dict[str, str] | None = None, path: str = "/webhooks/zendesk") -> dict[str, Any]:
    given = z.signed_headers(BODY, "2026-11-02T09:00:00Z") | (headers or {})
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()]
    return {"type": "http", "method": "POST", "path": path, "headers": raw}


def arriving(*messages: dict[str, Any]) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    left = list(messages)

    async def receive() -> MutableMapping[str, Any]:
        return left.pop(0)

    return receive


def whole(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": False}


async def answered(
    endpoint: WebhookEndpoint,
    given: dict[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await endpoint(given, receive, send)
    return sent


async def test_a_body_in_pieces_is_one_body() -> None:
    intake = FakeIntake()
    pieces = [
        {"type": "http.request", "body": BODY[n : n + 100], "more_body": True}
        for n in range(0, len(BODY), 100)
    ]
    sent = await answered(endpoint_on(intake), scope(), arriving(*pieces, whole(b"")))
    assert sent[0]["status"] == 200
    (received,) = intake.received
    assert received.body == BODY
    assert received.received_at == NOW
    assert received.headers == {
        ":path": "/webhooks/zendesk",
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Zendesk Webhook",
        "x-zendesk-account-id": z.ACCOUNT,
        "x-zendesk-webhook-id": "01F1KRFQ6BG29CNWFR60NK5FNY",
        "x-zendesk-webhook-invocation-id": "01HANA2B5D5W9XSJS3NE5SQA1J",
        "x-zendesk-webhook-signature-timestamp": "2026-11-02T09:00:00Z",
    }


async def test_credentials_are_not_kept() -> None:
    intake = FakeIntake()
    given = scope({"Authorization": "Basic c2VjcmV0", "Cookie": "a=b"})
    await answered(endpoint_on(intake), given, arriving(whole(BODY)))
    assert "c2VjcmV0" not in str(intake.received[0].headers)
    assert "a=b" not in str(intake.received[0].headers)


@for_each("error", [NotKept("disk full"), RuntimeError("our bug"), KeyError("x"), MemoryError()])
async def test_whatever_fails_is_a_503_that_zendesk_tries_again(error: BaseException) -> None:
    start, body = await answered(endpoint_on(FakeIntake(error)), scope(), arriving(whole(BODY)))
    assert start["status"] == 503
    assert (b"retry-after", b"55") in start["headers"]
    assert body["body"] == b"try again"


@for_each(
    "headers",
    [
        {"X-Zendesk-Webhook-Signature": ""},
        {"X-Zendesk-Webhook-Signature": "nonsense"},
        {"X-Zendesk-Webhook-Signature": "?" * 44},
        {"X-Zendesk-Webhook-Signature": "Gr\u00fc\u00dfe".ljust(44)},
        {"X-Zendesk-Webhook-Signature-Timestamp": ""},
    ],
)
async def test_what_cannot_be_signed_is_refused_unread(headers: dict[str, str]) -> None:
    start, _ = await answered(endpoint_on(FakeIntake()), scope(headers), arriving())
    assert start["status"] == 401
    assert (b"connection", b"close") in start["headers"]


async def test_a_sender_that_hangs_up_gets_no_answer() -> None:
    intake = FakeIntake()
    half = {"type": "http.request", "body": BODY[:10], "more_body": True}
    assert await answered(endpoint_on(intake), scope(), arriving(half, {"type": "http.disconnect"})) == []
    assert intake.received == []


async def test_an_old_request_is_kept_and_told() -> None:
    given = scope(z.signed_headers(BODY, "2026-11-02T08:00:00Z"))
    for window, told in ((timedelta(minutes=5), 1), (timedelta(0), 0)):
        metrics, intake = Metrics(), FakeIntake()
        watch = Freshness(window, ManualClock(NOW), metrics)
        start, _ = await answered(endpoint_on(intake, watch), given, arriving(whole(BODY)))
        assert (start["status"], len(intake.received)) == (200, 1)
        assert metrics.value("webhooks_out_of_window", why="old") == told
        probe = await watch()
        assert probe.ok, "not ready would lose every webhook"
        assert ("1 signatures outside 5m in 15m, the last 1h old" in probe.detail) == bool(told)


async def test_the_probe_forgets() -> None:
    clock = ManualClock(NOW)
    watch = Freshness(timedelta(minutes=5), clock, Metrics())
    watch.look(b"yesterday", NOW)
    assert "the last unreadable" in (await watch()).detail
    clock.advance(timedelta(minutes=16))
    assert (await watch()).detail == "signatures are of now"


@pytest.mark.parametrize(
    ("path", "status"), [("/webhooks/zendesk", 200), ("/webhooks/zendesk/triggers", 401)]
)
async def test_each_road_has_its_secrets(path: str, status: int) -> None:
    start, _ = await answered(endpoint_on(FakeIntake()), scope(path=path), arriving(whole(BODY)))
    assert start["status"] == status
