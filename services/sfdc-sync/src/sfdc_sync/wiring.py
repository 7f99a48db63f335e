"""The one place that knows every concrete class of sfdc-sync."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce, open_salesforce
from sfdc_sync.settings import ZENDESK_SCOPES, Settings
from sfdc_sync.ticket_records import handlers
from sfdc_sync.ticket_records.destination import TicketRecords
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from supportops.config.rules_file import Section
from supportops.messaging import UNHURRIED
from supportops.runtime.process import Parts, open_parts, run_process, worker_components
from supportops.runtime.supervisor import Component
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, Zendesk, open_zendesk

PACKAGE, GROUP = "sfdc_sync", "sfdc-sync"
POLICY = Section("sfdc_sync", SfdcPolicy)


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
        table = handlers.TicketHandlers(policy.ticket_record).table()
        records = ticket_records(settings, policy, parts, zendesk, salesforce)
        yield worker_components(parts, table, [records], group=GROUP, policy=UNHURRIED)


def ticket_records(
    settings: Settings, policy: SfdcPolicy, parts: Parts, zendesk: Zendesk, salesforce: Salesforce
) -> TicketRecords:
    """The one destination that the courier calls."""
    lifetime = Lifetime(found=policy.lookup_lifetime)
    names = References(zendesk, clock=parts.clock, metrics=parts.metrics, lifetime=lifetime)
    directory = ZendeskDirectory(
        names.users, names.organizations, policy=policy, base_url=settings.zendesk.base_url
    )
    return TicketRecords(
        parts.store,
        salesforce,
        directory,
        policy,
        call_timeout=settings.salesforce.call_timeout,
        metrics=parts.metrics,
    )
