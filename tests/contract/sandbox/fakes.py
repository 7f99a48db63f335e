"""A clock that only moves when told, and a receiver that answers as scripted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.clock import NANOS
from sandbox.zendesk.retries import Answer

START = 1_767_600_000 * NANOS  # 2026-01-05T08:00:00Z


class FakeClock:
    """`slept` lists every wait; each moves the time by its length at once."""

    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += int(seconds * NANOS)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * NANOS)


@dataclass(frozen=True)
class Request:
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class FakePost:
    """Takes what the sender posts. `answers` are used up in order, then everything is 200."""

    requests: list[Request] = field(default_factory=list)
    answers: list[Answer | Exception] = field(default_factory=list)

    async def __call__(
        self, url: str, headers: Sequence[tuple[str, str]], body: bytes, method: str
    ) -> Answer:
        assert method == "POST"
        self.requests.append(Request(url, dict(headers), body))
        answer = self.answers.pop(0) if self.answers else Answer(200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def types(self) -> list[str]:
        """Event names in the order of their arrival, without the prefix."""
        return [request.json["type"].removeprefix("zen:event-type:") for request in self.requests]
