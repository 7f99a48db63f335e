"""The notifier on both databases, against the sandbox as a process of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from pydantic import SecretStr

from notifier.feeds.routing import FormNames
from notifier.feeds.scheduling import MessageScheduler
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import (
    CsatApiSettings,
    NotifierSettings,
    SecondRoadSettings,
    Settings,
    SlackRequestsSettings,
    SlackSettings,
    SmtpSettings,
)
from notifier.wiring import breach_context, open_bot, open_context, open_vendors
from supportops.clock import SystemClock
from supportops.config import (
    ConfigSettings,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ShutdownSettings,
    SideSettings,
)
from supportops.observability.metrics import Metrics
from supportops.store import open_store
from supportops.web.auth.settings import OperatorsSettings
from supportops.workers import Periodic
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.bot import SECRET, TEAM, BotService
from tests.integration.notifier.breaches import BreachService
from tests.integration.notifier.sandbox import Outside
from tests.support.sandbox import zendesk_settings

OpenBreaches = Callable[[NotifierPolicy], Awaitable[BreachService]]
OpenBot = Callable[..., Awaitable[BotService]]
OpenService = Callable[[NotifierPolicy], Awaitable[Service]]


@pytest.fixture
def outside(sandbox_url: str) -> Iterator[Outside]:
    """Its controls."""
    found = Outside(sandbox_url)
    yield found
    found.close()


@pytest.fixture
def settings(outside: Outside, new_database: Callable[[str], str]) -> Settings:
    """The sandbox's accounts and a fresh database."""
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9"),
        database=DatabaseSettings(url=SecretStr(new_database("notifier")), pool=4),
        zendesk=zendesk_settings(outside.base_url),
        slack=SlackSettings(
            base_url=f"{outside.base_url}/slack/api",
            token=SecretStr("xoxb-sandbox"),
            timeout=timedelta(seconds=3),
            response_base_url=f"{outside.base_url}/slack/commands",
        ),
        notifier=NotifierSettings(),
        slack_requests=SlackRequestsSettings(),
        second_road=SecondRoadSettings(),
        smtp=SmtpSettings(),
        csat=CsatApiSettings(),
        operators=OperatorsSettings(),
        http=HttpSettings(),
        side=SideSettings(),
        shutdown=ShutdownSettings(),
        log=LogSettings(),
        config=ConfigSettings(),
    )


@pytest.fixture
async def open_service(settings: Settings) -> AsyncIterator[OpenService]:
    """`await open_service(rules)`: a replica of the service, wired as in `wiring.work`, without broker and process."""
    async with AsyncExitStack() as stack:

        async def open_one(rules: NotifierPolicy) -> Service:
            store = await stack.enter_async_context(open_store(settings.database, clock=SystemClock()))
            scheduler = MessageScheduler(rules, FormNames(rules.names_lifetime))
            context = await stack.enter_async_context(
                open_context(settings, rules, scheduler, store, Metrics())
            )
            return Service(context)

        yield open_one


@pytest.fixture
async def open_breaches(settings: Settings) -> AsyncIterator[OpenBreaches]:
    """`await open_breaches(policy)`: a replica of the part that is about breaches."""
    async with AsyncExitStack() as stack:

        async def open_one(rules: NotifierPolicy) -> BreachService:
            store = await stack.enter_async_context(open_store(settings.database, clock=SystemClock()))
            vendors = await stack.enter_async_context(open_vendors(settings, rules, store, Metrics()))
            return BreachService(breach_context(vendors, rules))

        yield open_one


@pytest.fixture
async def open_bot_service(settings: Settings, outside: Outside) -> AsyncIterator[OpenBot]:
    """`await open_bot_service(policy)`: a replica of the bot, wired as in `wiring.work`."""
    async with AsyncExitStack() as stack:

        async def open_one(rules: NotifierPolicy, csat: CsatApiSettings | None = None) -> BotService:
            requests = SlackRequestsSettings(
                signing_secret=SecretStr(SECRET),
                team_id=TEAM,
            )
            more = {"slack_requests": requests, "csat": csat or settings.csat}
            asked = settings.model_copy(update=more)
            store = await stack.enter_async_context(open_store(settings.database, clock=SystemClock()))
            vendors = await stack.enter_async_context(open_vendors(asked, rules, store, Metrics()))
            answering, (poller,) = await stack.enter_async_context(open_bot(asked, vendors, rules))
            assert isinstance(poller, Periodic)
            return BotService(store, answering, poller, requests, outside)

        yield open_one


@pytest.fixture
async def service(open_service: OpenService) -> Service:
    """One replica with the handbook's rules."""
    return await open_service(RULES)
