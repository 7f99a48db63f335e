"""The bot asks csat for the week: the very application of csat, served, with its own token and hosts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from notifier.operations.doctor import checks
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import CsatApiSettings, Settings, SlackRequestsSettings
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, HttpSettings
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Finding, examine
from supportops.runtime.http_server import HttpServer
from supportops.store import Store, open_store
from tests.integration.csat.dashboard_app import rated_ticket
from tests.integration.csat.http_app import API_TOKEN, csat_app
from tests.integration.notifier.bot import SECRET, TEAM, BotService
from tests.integration.notifier.conftest import OpenBot

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
Serve = Callable[..., Any]


@pytest.fixture
async def csat(new_database: Callable[[str], str]) -> AsyncIterator[Store]:
    """csat's database."""
    settings = DatabaseSettings(url=SecretStr(new_database("csat")), pool=3)
    async with open_store(settings, clock=SystemClock()) as store:
        yield store


@pytest.fixture
async def serve(csat: Store) -> AsyncIterator[Serve]:
    """`await serve(hosts)`: csat's HTTP side, which takes these host names; its port."""
    stopping, running = asyncio.Event(), AsyncExitStack()

    async def one(*hosts: str) -> int:
        tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), SystemClock())
        app = csat_app(csat, tokens, CsatPolicy(), http=HttpSettings(allowed_hosts=hosts))
        server = HttpServer(app, ("127.0.0.1", 0), Metrics())
        task = asyncio.create_task(server.run(stopping))
        running.push_async_callback(asyncio.wait_for, task, 10)
        await server.started.wait()
        return server.port

    yield one
    stopping.set()
    await running.aclose()


def asking(settings: Settings, port: int, token: str = API_TOKEN) -> Settings:
    """The settings of a notifier that asks csat at this port, and is asked by Slack."""
    csat = CsatApiSettings(url=f"http://127.0.0.1:{port}", token=SecretStr(token))
    requests = SlackRequestsSettings(signing_secret=SecretStr(SECRET), team_id=TEAM)
    return settings.model_copy(update={"csat": csat, "slack_requests": requests})


async def doctor(settings: Settings) -> Finding:
    async with checks(settings, NotifierPolicy()) as own:
        (found,) = await examine([each for each in own if each.name == "bot: csat"], settings.secrets())
    return found


async def test_the_week_is_csats_own_with_target_and_n(
    csat: Store, serve: Serve, settings: Settings, open_bot_service: OpenBot
) -> None:
    now = SystemClock().now()
    for number, score in enumerate(("good", "good", "bad"), 1):
        await rated_ticket(csat, now, str(number), "words", score=score)
    await rated_ticket(csat, now - timedelta(days=9), "9", "of another week", score="bad")
    asked = asking(settings, await serve())
    bot: BotService = await open_bot_service(NotifierPolicy(), asked.csat)
    async with bot.up():
        head, kpi, rate = (await bot.answer_to("csat")).splitlines()
    assert head.startswith("Tickets solved since Monday ")
    assert head.endswith("(UTC):")
    assert kpi.startswith("CSAT: 66.7% of 3 ratings (95 % interval 21% to 94%)")
    assert kpi.endswith("target 95% · not reached")
    assert rate.startswith("Response rate: 100.0% of 3 surveys")
    assert (await doctor(asked)).verdict == "ok"


@pytest.mark.parametrize(
    ("hosts", "token", "said"),
    [
        (("survey.example.com",), API_TOKEN, "csat does not answer now (Permanent)"),
        (("survey.example.com", "127.0.0.1"), API_TOKEN, "CSAT: No ratings yet · target 95%"),
        ((), "another-token-0123456789", "csat does not answer now (CredentialRefused)"),
        (None, API_TOKEN, "csat does not answer now (Retryable)"),
    ],
    ids=["a host that csat does not take", "one that it takes", "another token", "nobody there"],
)
async def test_what_csat_refuses_is_said_and_the_doctor_names_a_remedy(
    serve: Serve,
    settings: Settings,
    open_bot_service: OpenBot,
    hosts: tuple[str, ...] | None,
    token: str,
    said: str,
) -> None:
    port = 9 if hosts is None else await serve(*hosts)  # nobody listens at port 9
    asked = asking(settings, port, token)
    bot: BotService = await open_bot_service(NotifierPolicy(), asked.csat)
    async with bot.up():
        assert said in await bot.answer_to("csat")
    found = await doctor(asked)
    assert found.verdict == ("ok" if "No ratings" in said else "failed")
    assert found.verdict == "ok" or "HTTP_ALLOWED_HOSTS" in found.remedy
