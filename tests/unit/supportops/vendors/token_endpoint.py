"""A Zendesk that grants tokens, for tests of the way in: answers are the test's, and every question is kept."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.vendors.http_client import make_client
from supportops.vendors.zendesk.oauth import AccessTokens, OAuth, OAuthClient

BASE = "https://acme.zendesk.com"
SECRET = "hush-hush-42"  # shorter than the words that are cut out of a text anyway
CLIENT = OAuthClient(BASE, "csat", SecretStr(SECRET), ("read", "tickets:write"))


class TokenEndpoint:
    """Grants `token-1`, `token-2` …; `refused` get 401 from the API; while `gate` is shut, no answer comes."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.answer: Callable[[], httpx.Response | Exception] | None = None
        self.grant: dict[str, Any] = {"token_type": "bearer", "expires_in": 3600}
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 0.0
        self.metrics = Metrics()
        transport = httpx.MockTransport(self.handle)
        self.http = make_client(BASE, transport=transport)
        self.tokens = AccessTokens(
            self.http,
            CLIENT,
            clock=ManualClock(datetime(2026, 11, 28, tzinfo=UTC)),
            metrics=self.metrics,
            monotonic=lambda: self.now,
        )
        self.api = make_client(
            f"{BASE}/api/v2",
            authorization=OAuth(BASE, self.tokens),
            transport=httpx.MockTransport(self.handle),
        )

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/oauth/tokens":
            token = request.headers["authorization"].removeprefix("Bearer ")
            self.calls.append((request.method, token))
            return httpx.Response(
                401 if token in self.refused else 200, json={"body": request.content.decode()}
            )
        self.asked.append(json.loads(request.content))
        await self.gate.wait()
        if self.answer is not None:
            answer = self.answer()
            if isinstance(answer, Exception):
                raise answer
            return answer
        return httpx.Response(200, json={"access_token": f"token-{len(self.asked)}", **self.grant})

    def refuse(self, status: int, body: object = None, **headers: str) -> None:
        """From now on no token, but this answer."""
        self.answer = lambda: httpx.Response(status, json=body, headers=headers)

    async def close(self) -> None:
        await self.tokens.aclose()
        await self.api.aclose()
        await self.http.aclose()
