"""The processes of sfdc-sync: what serves, what works. Commands do without them: web server and broker take memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sfdc_sync.integrity.daily import DailyCheck
from sfdc_sync.operations.organization_jobs import (
    Vendors,
    periodic_runs,
    retention,
)
from sfdc_sync.organizations.handlers import add_organization_handlers
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.salesforce.client import open_salesforce
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
from sfdc_sync.wiring import GROUP, PACKAGE, POLICY, directory_of, facts_of, integrity_of, sync_of
from supportops.delivery import Destination
from supportops.messaging import UNHURRIED
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk, open_zendesk


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
    from sfdc_sync.web import http_server  # FastAPI and the pages take memory: a worker does without

    return http_server(settings, parts)


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


def ticket_destinations(
    settings: Settings, policy: SfdcPolicy, parts: Parts, vendors: Vendors
) -> tuple[Destination, ...]:
    """The destination of records, and that of comments where the rules want them."""
    directory = directory_of(settings, policy, vendors.zendesk, parts.clock, parts.metrics)
    timeout = settings.salesforce.call_timeout
    records = TicketRecords(
        parts.store,
        vendors.salesforce,
        facts_of(policy, vendors.salesforce, directory, parts.store),
        policy,
        call_timeout=timeout,
        metrics=parts.metrics,
    )
    if not policy.ticket_record.comments.enabled:
        return (records,)
    sources = (vendors.zendesk, directory)
    return records, TicketComments(parts.store, vendors.salesforce, sources, policy, call_timeout=timeout)
