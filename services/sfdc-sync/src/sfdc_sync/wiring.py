"""The one place that knows every concrete class of sfdc-sync."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from sfdc_sync.integrity.checks import Integrity
from sfdc_sync.integrity.daily import DailyCheck
from sfdc_sync.matching.matcher import Matcher
from sfdc_sync.operations.organization_jobs import (
    Vendors,
    files_of,
    integrity,
    organization_sync,
    periodic_runs,
    retention,
)
from sfdc_sync.operations.verify import Verification
from sfdc_sync.organizations.handlers import add_organization_handlers
from sfdc_sync.organizations.runs import OrganizationSync
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.salesforce.client import Salesforce, open_salesforce
from sfdc_sync.settings import ZENDESK_SCOPES, Settings, WebSettings
from sfdc_sync.sharing.apply import ApplySharing
from sfdc_sync.sharing.check import CheckRequests
from sfdc_sync.sharing.comment import CommentOnTicket
from sfdc_sync.sharing.examination import Examiner
from sfdc_sync.sharing.reading import SharingReader
from sfdc_sync.sharing.watch import SharingWatch, watching
from sfdc_sync.sharing.writing import SharingWriter
from sfdc_sync.ticket_records import handlers
from sfdc_sync.ticket_records.comments import TicketComments
from sfdc_sync.ticket_records.destination import TicketRecords
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from sfdc_sync.ticket_records.facts import Facts
from sfdc_sync.web import PAGES, START, create_app
from supportops.clock import Clock, SystemClock
from supportops.config.rules_file import Place, Section, mistakes_in
from supportops.delivery import Destination
from supportops.messaging import UNHURRIED
from supportops.observability.metrics import Metrics, Recorder
from supportops.runtime.http_server import HttpServer
from supportops.runtime.output import Report
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.store import Store, open_store
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, Zendesk, open_zendesk
from supportops.web.auth.guard import OperatorAuth
from supportops.web.site import site_of

PACKAGE, GROUP = "sfdc_sync", "sfdc-sync"


def _check_files(policy: SfdcPolicy, file: Path) -> None:
    rules = policy.organizations
    named: dict[Place, Path | None] = {
        ("organizations", "overrides_file"): rules.overrides_file,
        ("organizations", "integrity", "ignore_file"): rules.integrity.ignore_file,
    }
    missing = {place: path for place, path in named.items() if path and not (file.parent / path).is_file()}
    if missing:
        words = {place: f"there is no file {path} beside the rules" for place, path in missing.items()}
        raise mistakes_in(file, "sfdc_sync", words)
    files_of(rules, file)


POLICY = Section("sfdc_sync", SfdcPolicy, also=_check_files)


async def serve(settings: WebSettings) -> int:
    """The operators' pages."""
    async with open_parts(settings, PACKAGE) as parts:
        return await run_process(settings, parts, http_side(settings, parts))


async def run(settings: Settings) -> int:
    """Everything in one process."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, http_side(settings, parts), *components)


def http_side(settings: WebSettings, parts: Parts) -> Component:
    """The operators' pages; they call nobody."""
    site = site_of(settings.operators, "sfdc-sync", START, PAGES)
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics)
    app = create_app(parts.store, auth, settings.http)
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics, "sfdc-sync-web")


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor, until the process is told to stop; the exit code."""
    async with open_parts(settings, PACKAGE) as parts, workers(settings, parts) as components:
        return await run_process(settings, parts, *components)


@asynccontextmanager
async def workers(settings: Settings, parts: Parts) -> AsyncIterator[tuple[Component, ...]]:
    """What `work` runs."""
    policy = POLICY.load(settings.config.file)
    async with (
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=parts.clock, metrics=parts.metrics) as zendesk,
        open_salesforce(settings.salesforce, policy.pauses, parts.metrics) as salesforce,
    ):
        table = add_organization_handlers(handlers.TicketHandlers(policy.ticket_record).table())
        vendors = Vendors(parts.store, salesforce, zendesk)
        sync = sync_of(settings, policy, vendors, _no_report)
        destinations = [
            *ticket_destinations(settings, policy, parts, vendors),
            *sharing(parts.store, zendesk, policy.sharing),
            DailyCheck(integrity_of(settings, policy, vendors, _no_report), policy.organizations),
        ]
        yield (
            *worker_components(
                parts,
                table,
                destinations,
                group=GROUP,
                policy=UNHURRIED,
                retention=retention(policy.organizations),
            ),
            watching(parts.store, policy.sharing),
            *periodic_runs(sync, parts.store, policy.organizations),
        )


def sharing(store: Store, zendesk: Zendesk, policy: SharingPolicy) -> tuple[Destination, ...]:
    """The destinations of shared organizations: one reads, one writes, one tells the customer."""
    reader, writer = SharingReader(zendesk), SharingWriter(zendesk)
    examiner = Examiner(store, reader, policy)
    watch = SharingWatch(store, reader, writer, policy)
    return (
        CheckRequests(store, examiner),
        ApplySharing(store, reader, examiner, writer, watch),
        CommentOnTicket(store, zendesk, policy),
    )


def _no_report(_share: float | None, _words: str) -> None:
    """Nobody watches a worker's runs."""


def sync_of(settings: Settings, policy: SfdcPolicy, vendors: Vendors, report: Report) -> OrganizationSync:
    """The runs of accounts to organizations."""
    return organization_sync(
        vendors,
        policy,
        files_of(policy.organizations, settings.config.file).overrides,
        production=settings.installation.mode == "production",
        report=report,
    )


def integrity_of(settings: Settings, policy: SfdcPolicy, vendors: Vendors, report: Report) -> Integrity:
    """The integrity reports."""
    return integrity(
        vendors,
        policy.organizations,
        files_of(policy.organizations, settings.config.file),
        production=settings.installation.mode == "production",
        report=report,
    )


def open_sync(settings: Settings) -> Callable[[Report], AbstractAsyncContextManager[OrganizationSync]]:
    """What runs by hand are made of: database and both vendors, no broker."""
    return partial(_opened, settings, sync_of)


def open_integrity(settings: Settings) -> Callable[[Report], AbstractAsyncContextManager[Integrity]]:
    """The same for the reports by hand."""
    return partial(_opened, settings, integrity_of)


@asynccontextmanager
async def _opened[T](
    settings: Settings, make: Callable[[Settings, SfdcPolicy, Vendors, Report], T], report: Report
) -> AsyncIterator[T]:
    policy, clock, metrics = POLICY.load(settings.config.file), SystemClock(), Metrics()
    async with (
        open_store(settings.database, clock=clock) as store,
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
        open_salesforce(settings.salesforce, policy.pauses, metrics) as salesforce,
    ):
        yield make(settings, policy, Vendors(store, salesforce, zendesk), report)


@asynccontextmanager
async def open_verification(settings: Settings) -> AsyncIterator[Verification]:
    """What `verify` runs with: database and both vendors, no broker."""
    policy, clock, metrics = POLICY.load(settings.config.file), SystemClock(), Metrics()
    async with (
        open_store(settings.database, clock=clock) as store,
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
        open_salesforce(settings.salesforce, policy.pauses, metrics) as salesforce,
    ):
        facts = facts_of(policy, salesforce, directory_of(settings, policy, zendesk, clock, metrics), clock)
        yield Verification(store, zendesk.exports, salesforce, facts, policy)


def ticket_destinations(
    settings: Settings, policy: SfdcPolicy, parts: Parts, vendors: Vendors
) -> tuple[Destination, ...]:
    """The destination of records, and that of comments where the rules want them."""
    directory = directory_of(settings, policy, vendors.zendesk, parts.clock, parts.metrics)
    timeout = settings.salesforce.call_timeout
    records = TicketRecords(
        parts.store,
        vendors.salesforce,
        facts_of(policy, vendors.salesforce, directory, parts.clock),
        policy,
        call_timeout=timeout,
        metrics=parts.metrics,
    )
    if not policy.ticket_record.comments.enabled:
        return (records,)
    sources = (vendors.zendesk, directory)
    return records, TicketComments(parts.store, vendors.salesforce, sources, policy, call_timeout=timeout)


def directory_of(
    settings: Settings, policy: SfdcPolicy, zendesk: Zendesk, clock: Clock, metrics: Recorder
) -> ZendeskDirectory:
    """What is read from Zendesk for records."""
    lifetime = Lifetime(found=policy.lookup_lifetime)
    names = References(zendesk, clock=clock, metrics=metrics, lifetime=lifetime)
    return ZendeskDirectory(zendesk, names, policy=policy, base_url=settings.zendesk.base_url)


def facts_of(policy: SfdcPolicy, salesforce: Salesforce, directory: ZendeskDirectory, clock: Clock) -> Facts:
    """What finds out all that is known of tickets."""
    matcher = Matcher(salesforce, policy.matching, clock=clock, lifetime=policy.lookup_lifetime)
    return Facts(directory, matcher, policy)
