"""The one place that knows every concrete class of the notifier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notifier import tables
from notifier.feeds.context import MessageContext
from notifier.feeds.handlers import FeedHandlers
from notifier.feeds.lookups import Lookups
from notifier.feeds.post import FeedPosts
from notifier.feeds.route import FeedRouting
from notifier.feeds.routing import FormNames
from notifier.feeds.scheduling import MessageScheduler
from notifier.feeds.update import FeedUpdates
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import ZENDESK_SCOPES, Settings, WebSettings
from notifier.slack.client import open_slack
from notifier.web import START, create_app
from supportops.config.rules_file import Section
from supportops.delivery import Destination
from supportops.messaging import ConsumerPolicy
from supportops.observability.metrics import Recorder
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.store import Store
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, open_zendesk
from supportops.web.auth.guard import OperatorAuth
from supportops.web.site import site_of
from supportops.workers import Retention

PACKAGE, GROUP = "notifier", "notifier"
POLICY = Section("notifier", NotifierPolicy)
# A ticket's state holds its last messages: smaller batches keep what is in memory at once small.
PACE = ConsumerPolicy(max_batch=100)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor, until the process is told to stop."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components)


async def serve(settings: WebSettings) -> int:
    """The HTTP side, until the process is told to stop."""
    async with open_parts(settings, PACKAGE) as parts:
        return await run_process(settings, parts, http_side(settings, parts))


async def run(settings: Settings) -> int:
    """Everything in one process."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components, http_side(settings, parts))


def http_side(settings: WebSettings, parts: Parts) -> Component:
    """The page of figures, and its API."""
    site = site_of(settings.operators, "notifier", START)
    token = settings.notifier.api_token
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics, token)
    app = create_app(parts.store, auth, settings.http)
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics)


@asynccontextmanager
async def workers(settings: Settings, parts: Parts) -> AsyncIterator[tuple[Component, ...]]:
    """What `work` runs."""
    policy = POLICY.load(settings.config.file)
    scheduler = MessageScheduler(policy, FormNames(policy.names_lifetime))
    handlers = FeedHandlers(policy, scheduler).table()
    async with open_context(settings, policy, scheduler, parts.store, parts.metrics) as context:
        calls, kept = destinations(context), _retention(policy)
        yield worker_components(parts, handlers, calls, group=GROUP, policy=PACE, retention=kept)


@asynccontextmanager
async def open_context(
    settings: Settings, policy: NotifierPolicy, scheduler: MessageScheduler, store: Store, metrics: Recorder
) -> AsyncIterator[MessageContext]:
    """The vendors' clients, and what the destinations work with."""
    clock = store.clock
    async with (
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
        open_slack(settings.slack, clock=clock, metrics=metrics) as slack,
    ):
        lifetime = Lifetime(found=policy.names_lifetime)
        references = References(zendesk, clock=clock, metrics=metrics, lifetime=lifetime)
        lookups = Lookups(zendesk, references, scheduler.forms, clock)
        yield MessageContext(store, policy, scheduler, lookups, slack, settings.zendesk.base_url, metrics)


def destinations(context: MessageContext) -> list[Destination]:
    """Everybody whom the courier calls."""
    return [FeedRouting(context), FeedPosts(context), FeedUpdates(context)]


def _retention(policy: NotifierPolicy) -> tuple[Retention, ...]:
    kept = (tables.feed_tickets, tables.feed_messages)
    return tuple(Retention(table, table.c.changed_at, policy.keep) for table in kept)
