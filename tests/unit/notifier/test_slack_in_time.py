"""Slack's three seconds: what is asked of us is answered in time, whatever our database does, and is done once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from notifier import web
from notifier.bot import socket_mode
from notifier.policy.breach_settings import Acknowledging
from notifier.posting import silences
from notifier.settings import SlackRequestsSettings
from notifier.slack import requests
from notifier.slack.requests import SlackRequests, in_time
from notifier.slack.signature import signature
from notifier.web import INTERACTIONS, SlackSide, add_interactions
from supportops.clock import ManualClock, SystemClock

SECRET = "a-signing-secret-of-slack"
SETTINGS = SlackRequestsSettings(signing_secret=SecretStr(SECRET), team_id="T0TEAM")
PRESSED = {
    "type": "block_actions",
    "team": {"id": "T0TEAM"},
    "user": {"id": "U1"},
    "actions": [{"action_id": "take"}],
}
STORE: Any = object()


class Database:
    """Does its work when it is let; `fails` with something then."""

    def __init__(self, *, slow: bool = False, fails: Exception | None = None) -> None:
        self.let, self.fails, self.done = asyncio.Event(), fails, asyncio.Event()
        if not slow:
            self.let.set()

    async def work(self, *_: Any) -> None:
        await self.let.wait()
        if self.fails is not None:
            raise self.fails
        self.done.set()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(requests, "PATIENCE", timedelta(milliseconds=20))
    yield
    assert requests._going_on == set()


@pytest.mark.parametrize(
    ("database", "taken"),
    [
        ({}, True),
        ({"slow": True}, False),
        ({"fails": ConnectionError()}, False),
        ({"fails": TimeoutError()}, False),
    ],
)
async def test_work_that_is_slow_goes_on_and_is_done_once(database: dict[str, Any], taken: bool) -> None:
    worker = Database(**database)
    assert await in_time(worker.work()) is taken
    assert worker.done.is_set() is taken
    worker.let.set()
    if worker.fails is None:
        await asyncio.wait_for(worker.done.wait(), 5)
    await asyncio.sleep(0)


async def test_our_own_mistake_is_no_slow_database() -> None:
    with pytest.raises(KeyError):
        await in_time(Database(fails=KeyError()).work())


@pytest.mark.parametrize(("slow", "status"), [(False, 200), (True, 503)])
async def test_a_press_is_answered_in_time_over_both_roads(
    monkeypatch: pytest.MonkeyPatch, slow: bool, status: int
) -> None:
    worker = Database(slow=slow)
    monkeypatch.setattr(web, "take_clicks", worker.work)
    monkeypatch.setattr(socket_mode, "take_clicks", worker.work)
    asked = SlackRequests(SETTINGS, SystemClock())
    app = FastAPI()
    add_interactions(app, STORE, SlackSide(asked, Acknowledging()))
    body, stamp = urlencode({"payload": json.dumps(PRESSED)}).encode(), str(int(time.time()))
    signed = {"x-slack-request-timestamp": stamp}
    signed["x-slack-signature"] = signature(SECRET, stamp.encode(), body).decode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://n") as client:
        answer = await client.post(INTERACTIONS, content=body, headers=signed)
    assert answer.status_code == status
    assert ("press again" in answer.text) is slow
    said = await socket_mode.Intake(STORE, asked, Acknowledging()).take("interactive", PRESSED)
    assert said == (None if slow else {})  # unacknowledged, Slack says so to who pressed
    worker.let.set()
    await asyncio.wait_for(worker.done.wait(), 5)
    await asyncio.sleep(0)


async def test_messages_that_are_due_at_once_read_the_silences_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, read = ManualClock(datetime(2026, 11, 2, tzinfo=UTC)), []

    class Store:
        def __init__(self) -> None:
            self.clock = clock

        @asynccontextmanager
        async def reading(self) -> AsyncIterator[None]:
            await asyncio.sleep(0)
            yield

    async def in_force(_conn: Any, now: datetime) -> list[silences.Silence]:
        read.append(now)
        return [silences.Silence("s", "rule", "r", "why", "me", now, now + timedelta(hours=1))]

    monkeypatch.setattr(silences, "in_force", in_force)
    store: Any = Store()
    known = silences.Silences(store)

    async def look() -> Any:
        return await known.of(rule="r", ticket_id="1", organization_id=None)

    for count in (1, 2):
        assert all(await asyncio.gather(*(look() for _ in range(200))))
        assert len(read) == count
        clock.advance(timedelta(seconds=3))
