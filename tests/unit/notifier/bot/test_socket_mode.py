"""Socket Mode without Slack: a client over which nobody is heard is made anew, a good one is kept."""

import asyncio
import logging
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from notifier.bot import checks, socket_mode
from notifier.bot.checks import socket_finding
from notifier.bot.socket_mode import Hearing, Intake, SocketMode
from notifier.settings import Settings, SlackRequestsSettings, SlackSettings
from notifier.wiring import socket_probes
from supportops.clock import SystemClock
from supportops.config import SettingsError
from supportops.observability.health import ProbeResult
from tests.support.for_each import for_each

TOKEN = SecretStr("xapp-1-socket")  # nosec B105
HELLO = {"type": "hello", "num_connections": 1}


class Client:
    """A client of slack-sdk: `open`, where its connection stands; `greeted`, where Slack says hello over it."""

    def __init__(self, *, open_: bool, greeted: bool) -> None:
        self.message_listeners: list[Any] = []
        self.open, self.greeted, self.session = open_, greeted, "s_1"
        self.closed = asyncio.Event()

    async def connect(self) -> None:
        if self.greeted:
            await self.say(HELLO)
        await self.closed.wait()

    async def say(self, message: dict[str, Any]) -> None:
        for listener in self.message_listeners:
            await listener(self, message, "")

    async def close(self) -> None:
        self.open = False
        self.closed.set()

    async def is_connected(self) -> bool:
        return self.open

    async def session_id(self) -> str:
        return self.session


async def test_a_connection_counts_once_slack_has_greeted_over_it() -> None:
    client = Client(open_=True, greeted=False)
    hearing = Hearing(client)
    for message, good in (({"type": "events_api"}, False), (HELLO, True)):
        await client.say(message)
        assert await hearing.is_good() is good
    client.session = "s_2"  # made anew by the client: another connection, another greeting
    assert await hearing.is_good() is False
    await client.say(HELLO)
    assert await hearing.is_good() is True
    client.open = False
    assert await hearing.is_good() is False


async def test_a_deaf_client_is_made_anew_and_a_good_one_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_mode, "DEAF", timedelta(milliseconds=20))
    monkeypatch.setattr(socket_mode, "LOOK_EVERY", timedelta(milliseconds=2))
    refused, silent = Client(open_=False, greeted=False), Client(open_=True, greeted=False)
    good = Client(open_=True, greeted=True)
    waiting, stopping, at_good = [refused, silent, good], asyncio.Event(), asyncio.Event()

    class Socket(SocketMode):
        def client(self) -> Any:
            if len(waiting) == 1:
                at_good.set()
            return waiting.pop(0)

    socket = Socket("https://slack.example", TOKEN, cast("Intake", None))
    made_at = socket._heard_at
    running = asyncio.create_task(socket.run(stopping))
    await asyncio.wait_for(at_good.wait(), 10)
    assert (refused.closed.is_set(), silent.closed.is_set()) == (True, True)
    with pytest.raises(TimeoutError):  # longer than a deaf one is borne: another would be an IndexError
        await asyncio.wait_for(asyncio.shield(running), 0.06)
    assert not good.closed.is_set()
    assert socket._heard_at > made_at
    stopping.set()
    await asyncio.wait_for(running, 10)
    assert good.closed.is_set()


async def test_readyz_tells_of_a_slack_that_is_not_heard() -> None:
    socket = SocketMode("https://slack.example", TOKEN, cast("Intake", None))
    (probe,) = socket_probes([socket, cast("Any", object())])
    assert await probe() == ProbeResult("slack_socket", ok=True, detail="Slack is heard")
    socket._heard_at -= 180
    seen = await probe()
    assert (seen.ok, "not heard for 3m" in seen.detail) == (False, True)


def test_the_clients_own_lines_come_one_of_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        logging.getLogger("notifier.bot.socket").error("Failed to connect")
    assert len(caplog.records) <= 1


async def test_a_field_without_a_text_is_none() -> None:
    class Taken(Intake):
        async def _command(self, fields: dict[str, str]) -> str:
            return repr(fields)

    taken = Taken(cast("Any", None), cast("Any", None), cast("Any", None))
    said = await taken.take("slash_commands", {"text": None, "team_id": "T1", "enterprise": {"id": "E1"}})
    assert said is not None
    assert said["text"] == "{'team_id': 'T1'}"


@for_each(
    "status, answer, verdict, words",
    [
        (200, {"ok": True, "url": "wss://x.example/?ticket=t"}, "ok", "address"),
        (200, {"ok": False, "error": "not_allowed_token_type"}, "failed", "not_allowed_token_type"),
        (
            200,
            {"ok": False, "error": "missing_scope", "needed": "connections:write"},
            "failed",
            "missing_scope",
        ),
        (200, {"ok": False, "error": "forbidden_team"}, "failed", "forbidden_team"),
        (429, {"ok": False, "error": "ratelimited"}, "skipped", "once a minute"),
    ],
)
async def test_the_doctor_asks_for_a_socket_with_the_apps_own_token(
    status: int, answer: dict[str, Any], verdict: str, words: str
) -> None:
    asked: list[httpx.Request] = []

    def slack(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, json=answer)

    settings = SlackSettings(base_url="https://slack.example/api", token=SecretStr("xoxb-1"), app_token=TOKEN)
    found = await socket_finding(settings, SystemClock(), httpx.MockTransport(slack))
    assert (found.verdict, words in found.detail, "ticket=" in found.detail) == (verdict, True, False)
    assert [(each.url.path, each.headers["Authorization"]) for each in asked] == [
        ("/api/apps.connections.open", f"Bearer {TOKEN.get_secret_value()}")
    ]


async def test_the_doctor_tells_that_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SettingsError(["SLACK_APP_TOKEN: Socket Mode needs slack-sdk"])

    monkeypatch.setattr(checks, "demand_the_extra", missing)
    settings = SlackSettings(base_url="https://slack.example", token=SecretStr("xoxb-1"), app_token=TOKEN)
    assert (await socket_finding(settings, SystemClock())).verdict == "failed"
    without = settings.model_copy(update={"app_token": None})
    assert (await socket_finding(without, SystemClock())).verdict == "skipped"


def test_a_socket_needs_to_know_whose_requests_it_takes() -> None:
    slack = SlackSettings(token=SecretStr("xoxb-1"), app_token=TOKEN)
    for team, fine in (("T0TEAM", True), (None, False)):
        requests = SlackRequestsSettings(signing_secret=None, team_id=team)
        settings = cast("Any", Settings).model_construct(slack=slack, slack_requests=requests)
        with nullcontext() if fine else pytest.raises(ValueError, match="SLACK_TEAM_ID must be set"):
            settings._workspace_of_the_socket_is_named()


def test_the_bots_token_is_no_apps_token() -> None:
    with pytest.raises(ValueError, match="begins with xapp-"):
        SlackSettings(token=SecretStr("xoxb-1"), app_token=SecretStr("xoxb-1"))
