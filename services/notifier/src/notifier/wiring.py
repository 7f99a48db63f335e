"""The one place that knows every concrete class of the notifier."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from notifier import tables
from notifier.bot.answers import BotAnswers, Replies
from notifier.bot.checks import is_asked
from notifier.bot.context import BotContext
from notifier.bot.counting import counting
from notifier.bot.csat import open_csat
from notifier.bot.gate import Gate
from notifier.bot.socket_mode import Intake, SocketMode, SocketProbe
from notifier.breaches.acknowledge import BreachWords
from notifier.breaches.context import BreachContext
from notifier.breaches.handlers import BreachHandlers
from notifier.breaches.post import BreachNotices
from notifier.breaches.reader import AccountHours, SlaReader
from notifier.breaches.second_roads import Outside, SecondRoads, overdue_watch
from notifier.breaches.update import BreachTags, BreachUpdates
from notifier.breaches.watch import SlaReadings, poll
from notifier.feeds.context import MessageContext
from notifier.feeds.decisions import keep_rules
from notifier.feeds.handlers import FeedHandlers
from notifier.feeds.lines import FeedLines, FeedTickets
from notifier.feeds.lookups import Lookups
from notifier.feeds.redaction import AudienceWatch, Redactions
from notifier.feeds.route import FeedRouting
from notifier.feeds.routing import FormNames
from notifier.feeds.scheduling import MessageScheduler
from notifier.feeds.update import FeedUpdates
from notifier.notices.destination import Notices
from notifier.notices.handlers import NoticeHandlers
from notifier.notices.held import SilencedByName
from notifier.notices.merged import MergedThreads
from notifier.notices.messages import IntegrityNotes, TicketNotes
from notifier.notices.payloads import INTEGRITY, MERGED, RATING, SUCCESS, TAM
from notifier.notices.success import SuccessWatch
from notifier.notices.tags import NoticeTags
from notifier.notices.watching import EVERY as WATCH_EVERY
from notifier.notices.watching import Watching
from notifier.operations.channel_checks import channels_of
from notifier.operations.explain import explain_ticket
from notifier.operations.promises import BreachSummaries, summaries
from notifier.policy.notices import SuccessNotice
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.alerts import ALERT, AlertSource
from notifier.posting.burst import SUMMARY_NOTE, Bursts
from notifier.posting.channels import ChannelDirectory
from notifier.posting.fallback import ELSEWHERE, FallbackSource
from notifier.posting.names import LOOK_EVERY as NAMES_EVERY
from notifier.posting.names import NameWatch
from notifier.posting.people import People
from notifier.posting.post import Posts
from notifier.posting.prepared import MessageSource
from notifier.posting.silences import Silences
from notifier.posting.summary import SummarySource
from notifier.settings import ZENDESK_SCOPES, Settings, WebSettings
from notifier.slack.client import SlackClient, open_slack
from notifier.slack.requests import SlackRequests
from notifier.slack.response_url import open_response_urls
from notifier.slack.sender import Sender
from supportops.clock import Clock, SystemClock
from supportops.config.rules_file import Section
from supportops.delivery import Budget, Destination, Rate
from supportops.messaging import ConsumerPolicy, Handlers
from supportops.observability.health import Probe
from supportops.observability.metrics import Metrics, Recorder
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.store import Store, open_store
from supportops.vendors.cache import Lifetime
from supportops.vendors.mail import Mail, MailServer
from supportops.vendors.signed_webhook import open_webhook
from supportops.vendors.zendesk import References, Zendesk, open_zendesk
from supportops.workers import Periodic, Retention

PACKAGE, GROUP = "notifier", "notifier"
POLICY = Section("notifier", NotifierPolicy)
AUDIENCE_EVERY = timedelta(minutes=5)
# A ticket's state holds its last messages, up to 40 kB: smaller batches keep what is in memory at once small.
PACE = ConsumerPolicy(max_batch=50)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor, until the process is told to stop."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components, probes=socket_probes(components))


async def serve(settings: WebSettings) -> int:
    """The HTTP side, until the process is told to stop."""
    async with open_parts(settings, PACKAGE) as parts:
        return await run_process(settings, parts, http_side(settings, parts))


async def run(settings: Settings) -> int:
    """Everything in one process."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        mine = (*components, http_side(settings, parts))
        return await run_process(settings, parts, *mine, probes=socket_probes(components))


def socket_probes(components: Sequence[Component]) -> list[Probe]:
    """What /readyz says of Slack's socket, where there is one."""
    return [SocketProbe(each) for each in components if isinstance(each, SocketMode)]


def http_side(settings: WebSettings, parts: Parts) -> Component:
    """The operators' pages, the API of figures, and what Slack asks for."""
    from notifier.web import http_server  # FastAPI and the pages take memory: a worker does without

    return http_server(settings, parts, POLICY)


@asynccontextmanager
async def workers(settings: Settings, parts: Parts) -> AsyncIterator[tuple[Component, ...]]:
    """What `work` runs."""
    policy = POLICY.load(settings.config.file)
    scheduler = MessageScheduler(policy, FormNames(policy.names_lifetime))
    handlers = handlers_of(policy, scheduler)
    async with (
        open_vendors(settings, policy, parts.store, parts.metrics) as vendors,
        open_outside(settings, parts.clock) as outside,
        open_bot(settings, vendors, policy) as bot,
    ):
        async with parts.store.transaction() as tx:
            await keep_rules(tx, policy)
        context = feed_context(vendors, policy, scheduler)
        breaches = breach_context(vendors, policy)
        calls, kept = (
            [*destinations(context), *breach_destinations(breaches, outside), *bot[0]],
            _retention(policy),
        )
        handlers = BreachHandlers(policy.breaches).add_to(handlers)
        working = worker_components(parts, handlers, calls, group=GROUP, policy=PACE, retention=kept)
        watch = Periodic("notifier.audience", parts.store, AudienceWatch(context).look, AUDIENCE_EVERY)
        names = NameWatch(parts.store, vendors.slack, channels_of(policy))
        named = Periodic("notifier.names", parts.store, names.look, NAMES_EVERY)
        yield (*working, watch, named, *notice_jobs(parts.store, policy), *breach_jobs(breaches), *bot[1])


def handlers_of(policy: NotifierPolicy, scheduler: MessageScheduler) -> Handlers:
    """Which event is handled by what."""
    handlers = FeedHandlers(policy, scheduler).table()
    NoticeHandlers(policy.notices).add(handlers)
    return handlers


@asynccontextmanager
async def open_context(
    settings: Settings, policy: NotifierPolicy, scheduler: MessageScheduler, store: Store, metrics: Recorder
) -> AsyncIterator[MessageContext]:
    """The vendors' clients, and what the destinations of feeds work with."""
    async with open_vendors(settings, policy, store, metrics) as vendors:
        yield feed_context(vendors, policy, scheduler)


@asynccontextmanager
async def open_for_command(settings: Settings, policy: NotifierPolicy) -> AsyncIterator[MessageContext]:
    """The same for a command, with a database connection of its own."""
    scheduler = MessageScheduler(policy, FormNames(policy.names_lifetime))
    async with (
        open_store(settings.database, clock=SystemClock()) as store,
        open_context(settings, policy, scheduler, store, Metrics()) as context,
    ):
        yield context


@dataclass(frozen=True)
class Vendors:
    """The clients of one process, which share one share of each vendor's limits."""

    zendesk: Zendesk
    references: References
    slack: SlackClient
    store: Store
    metrics: Recorder
    base_url: str


@asynccontextmanager
async def open_vendors(
    settings: Settings, policy: NotifierPolicy, store: Store, metrics: Recorder
) -> AsyncIterator[Vendors]:
    """Zendesk and Slack."""
    clock = store.clock
    async with (
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
        open_slack(settings.slack, clock=clock, metrics=metrics) as slack,
    ):
        lifetime = Lifetime(found=policy.names_lifetime)
        references = References(zendesk, clock=clock, metrics=metrics, lifetime=lifetime)
        yield Vendors(zendesk, references, slack, store, metrics, settings.zendesk.base_url)


def feed_context(vendors: Vendors, policy: NotifierPolicy, scheduler: MessageScheduler) -> MessageContext:
    """What the destinations of feeds work with."""
    zendesk, store, slack = vendors.zendesk, vendors.store, vendors.slack
    lookups = Lookups(zendesk, vendors.references, scheduler.forms, policy, store.clock)
    channels = ChannelDirectory(store, slack)
    return MessageContext(
        store, policy, scheduler, zendesk, lookups, slack, channels, vendors.base_url, vendors.metrics
    )


def notice_jobs(store: Store, policy: NotifierPolicy) -> list[Component]:
    """The look at all services' side ports, where the rules name them."""
    alerts = policy.notices.alerts
    if alerts is None:
        return []
    return [Periodic("notifier.watching", store, Watching(store, alerts).look, WATCH_EVERY)]


def breach_context(vendors: Vendors, policy: NotifierPolicy) -> BreachContext:
    """What the destinations of breach notices work with."""
    reader = SlaReader(vendors.zendesk, vendors.references, vendors.store)
    hours = AccountHours(vendors.zendesk, policy.breaches.schedule)
    return BreachContext(
        vendors.store,
        policy,
        vendors.zendesk,
        reader,
        hours,
        vendors.slack,
        vendors.base_url,
        vendors.metrics,
    )


@asynccontextmanager
async def open_outside(settings: Settings, clock: Clock) -> AsyncIterator[Outside]:
    """The second roads that the environment names: a webhook, a mail server."""
    webhook, smtp = settings.second_road, settings.smtp
    mail = None
    if smtp.host and smtp.sender:
        server = MailServer(smtp.host, smtp.sender, smtp.port, smtp.user, smtp.password, smtp.security)
        mail = Mail(server, clock)
    async with AsyncExitStack() as stack:
        client = None
        if webhook.webhook_url is not None and webhook.webhook_secret is not None:
            client = await stack.enter_async_context(
                open_webhook(webhook.webhook_url, webhook.webhook_secret, clock=clock)
            )
        yield Outside(client, mail)


@asynccontextmanager
async def open_bot(
    settings: Settings, vendors: Vendors, policy: NotifierPolicy
) -> AsyncIterator[tuple[list[Destination], list[Component]]]:
    """Who answers the bot's questions, and its periodic job; nobody and none where Slack's requests are not taken."""
    requests, slack, clock = settings.slack_requests, settings.slack, vendors.store.clock
    if not is_asked(settings):
        yield [], []
        return
    intake = Intake(vendors.store, SlackRequests(requests, clock), policy.breaches.acknowledge)
    sockets = [SocketMode(slack.base_url, slack.app_token, intake)] if slack.app_token is not None else []
    async with (
        open_csat(settings.csat, clock=clock) as csat,
        open_response_urls(slack.response_base_url, clock=clock, metrics=vendors.metrics) as response_urls,
    ):
        names = FormNames(policy.names_lifetime)
        context = BotContext(
            vendors.store,
            policy,
            vendors.zendesk,
            Lookups(vendors.zendesk, vendors.references, names, policy, clock),
            Gate(vendors.slack, policy.bot, requests.team_id),
            csat,
            partial(explain_ticket, named=False),
            vendors.base_url,
            vendors.metrics,
        )
        yield [BotAnswers(context, Replies(vendors.slack, response_urls))], [counting(context), *sockets]


def breach_destinations(context: BreachContext, outside: Outside | None = None) -> list[Destination]:
    """Everybody whom the courier calls about breaches; nobody where no rule is about them."""
    if not context.rules.rules:
        return []
    sender = Sender(context.slack, context.store)
    return [
        SlaReadings(context),
        BreachNotices(context, sender),
        BreachUpdates(context),
        BreachWords(context),
        BreachTags(context),
        SecondRoads(context, sender, outside or Outside()),
        BreachSummaries(context, sender),
    ]


def breach_jobs(context: BreachContext) -> list[Component]:
    """Periodic jobs about breaches, each run by one replica."""
    return [poll(context), overdue_watch(context), summaries(context)] if context.rules.rules else []


def destinations(context: MessageContext) -> list[Destination]:
    """Everybody whom the courier calls."""
    bursts, silences = Bursts(context.policy, context.store), Silences(context.store)
    sources: dict[str, MessageSource] = {
        "": FeedLines(context, silences, bursts),
        SUMMARY_NOTE: SummarySource(FeedTickets(context)),
        ALERT: SilencedByName(AlertSource(), silences),
    }
    merged, notes = MergedThreads(context), TicketNotes(context, context.policy.notices, silences)
    sources |= {
        MERGED: SilencedByName(merged, silences),
        INTEGRITY: SilencedByName(IntegrityNotes(), silences),
        TAM: notes,
        RATING: notes,
        SUCCESS: notes,
    }
    sources[ELSEWHERE] = FallbackSource(sources)
    posts = Posts(context.policy, context.slack, context.channels, bursts, sources, context.metrics)
    feeds: list[Destination] = [FeedRouting(context), posts, FeedUpdates(context), Redactions(context)]
    return [*feeds, *_notices(context, merged)]


def _notices(context: MessageContext, merged: MergedThreads) -> list[Destination]:
    rules = context.policy.notices
    success = _success_watch(context, rules.success) if rules.success else None
    people = People(context.slack, rules.people)
    pace = context.policy.breaches.ticket_updates_per_minute
    updates = Budget("zendesk.ticket_updates", Rate(pace, timedelta(minutes=1))) if pace else None
    return [Notices(context, rules, people, merged, success), NoticeTags(context.zendesk, updates)]


def _success_watch(context: MessageContext, rule: SuccessNotice) -> SuccessWatch:
    return SuccessWatch(context, context.zendesk, rule, AccountHours(context.zendesk, rule.schedule))


def _retention(policy: NotifierPolicy) -> tuple[Retention, ...]:
    kept = (
        (tables.feed_decisions, tables.feed_decisions.c.decided_at),
        (tables.silences, tables.silences.c.ends_at),
        (tables.success_watches, tables.success_watches.c.armed_at),
        *(
            (table, table.c.changed_at)
            for table in (tables.feed_tickets, tables.feed_messages, *tables.BREACHES)
        ),
    )
    names = Retention(tables.slack_names, tables.slack_names.c.heard_at, policy.keep)
    requests = Retention(tables.slack_requests, tables.slack_requests.c.received_at, timedelta(days=2))
    return (*(Retention(table, moment, policy.keep) for table, moment in kept), requests, names)
