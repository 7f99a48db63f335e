"""A Zendesk of one answer, for tests of its client."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
from pydantic import SecretStr

from supportops.clock import ManualClock
from supportops.config import ZendeskSettings
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import Zendesk, open_zendesk

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Fake:
    """A Zendesk of one answer: remembers the requests, gives what the test put there."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response | httpx.HTTPError] = []
        self.clock, self.metrics = ManualClock(NOW), Metrics()

    def give(self, status: int = 200, body: object = None, **headers: str) -> None:
        self.answers.append(httpx.Response(status, json={} if body is None else body, headers=headers))

    def break_with(self, error: httpx.HTTPError) -> None:
        self.answers.append(error)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    def query(self, number: int = -1) -> dict[str, list[str]]:
        return parse_qs(self.requests[number].url.query.decode())

    def body(self) -> Any:
        return json.loads(self.requests[-1].content)

    def outcomes(self, call: str, outcome: str) -> float:
        return self.metrics.value("vendor_calls", vendor="zendesk", call=call, outcome=outcome)


@asynccontextmanager
async def client_of(fake: Fake) -> AsyncIterator[Zendesk]:
    """A client that reads, of an account whose answers `fake` gives."""
    settings = ZendeskSettings(
        base_url="https://acme.zendesk.com",
        email="ops@example.com",
        token=SecretStr("t0ken"),
        rate_limit=10_000,
    )
    transport = httpx.MockTransport(fake.handle)
    async with open_zendesk(
        settings, ["read"], clock=fake.clock, metrics=fake.metrics, transport=transport
    ) as client:
        yield client
