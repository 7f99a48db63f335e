"""The one place that knows every concrete class of the notifier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notifier import tables
from notifier.feeds.handlers import FeedHandlers
from notifier.feeds.lookups import Lookups
from notifier.feeds.post import Desk, FeedPosts, FeedRouting, FeedUpdates
from notifier.feeds.scheduling import FormNames, Planner
from notifier.settings import NotifierRules, Settings
from notifier.slack.client import open_slack
from notifier.web import create_app
from supportops.clock import SystemClock
from supportops.config import rules_file
from supportops.delivery import Courier, Destination
from supportops.messaging import Consumer, ConsumerPolicy
from supportops.observability.metrics import Recorder
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts, open_parts, run_process
from supportops.runtime.supervisor import CLEAN, Component
from supportops.store import Store, migrate, open_store
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, open_zendesk
from supportops.workers import Relay, Retention, engine_retention, janitor

GROUP = "notifier"
# A ticket's state holds its last messages: smaller batches keep what is in memory at once small.
POLICY = ConsumerPolicy(max_batch=100)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor, until the process is told to stop."""
    async with open_parts(settings) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components)


async def serve(settings: Settings) -> int:
    """The HTTP side, until the process is told to stop."""
    async with open_parts(settings) as parts:
        return await run_process(settings, parts, http_side(settings, parts))


async def run(settings: Settings) -> int:
    """Everything in one process."""
    async with open_parts(settings) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components, http_side(settings, parts))


def upgrade(settings: Settings) -> int:
    """Bring the database up to date."""
    migrate.upgrade(settings.database.url.get_secret_value(), "notifier")
    return CLEAN


@asynccontextmanager
async def own_database(settings: Settings) -> AsyncIterator[Store]:
    """What the operators' commands work on; a running worker does the rest."""
    async with open_store(settings.database, clock=SystemClock()) as store:
        yield store


def http_side(settings: Settings, parts: Parts) -> Component:
    """The page of figures."""
    return HttpServer(create_app(parts.store), settings.http.host, settings.http.port)


@asynccontextmanager
async def workers(settings: Settings, parts: Parts) -> AsyncIterator[tuple[Component, ...]]:
    """What `work` runs."""
    rules = rules_file.load(settings.config.file, "notifier", NotifierRules)
    planner = Planner(rules, FormNames(rules.names_lifetime))
    handlers = FeedHandlers(rules, planner).table()
    async with open_desk(settings, rules, planner, parts.store, parts.metrics) as desk:
        yield (
            Consumer(parts.broker, parts.store, handlers, group=GROUP, metrics=parts.metrics, policy=POLICY),
            Relay(parts.broker, parts.store, parts.metrics),
            Courier(parts.store, destinations(desk), parts.metrics),
            janitor(parts.store, (*_retention(rules), *engine_retention()), parts.metrics),
        )


@asynccontextmanager
async def open_desk(
    settings: Settings, rules: NotifierRules, planner: Planner, store: Store, metrics: Recorder
) -> AsyncIterator[Desk]:
    """The vendors' clients, and what the destinations work with."""
    clock = store.clock
    async with (
        open_zendesk(settings.zendesk, clock=clock, metrics=metrics) as zendesk,
        open_slack(settings.slack, clock=clock, metrics=metrics) as slack,
    ):
        lifetime = Lifetime(found=rules.names_lifetime)
        references = References(zendesk, clock=clock, metrics=metrics, lifetime=lifetime)
        lookups = Lookups(zendesk, references, planner.forms, clock)
        yield Desk(store, rules, planner, lookups, slack, settings.zendesk.base_url, metrics)


def destinations(desk: Desk) -> list[Destination]:
    """Everybody whom the courier calls."""
    return [FeedRouting(desk), FeedPosts(desk), FeedUpdates(desk)]


def _retention(rules: NotifierRules) -> tuple[Retention, ...]:
    kept = (tables.feed_tickets, tables.feed_messages)
    return tuple(Retention(table, table.c.changed_at, rules.keep) for table in kept)
