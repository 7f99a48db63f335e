"""What commands and processes are made of: with `processes` the place that knows every concrete class of sfdc-sync."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from sfdc_sync.integrity.checks import Integrity
from sfdc_sync.matching.matcher import Matcher
from sfdc_sync.operations.organization_jobs import (
    Vendors,
    files_of,
    integrity,
    organization_sync,
)
from sfdc_sync.operations.verify import Verification
from sfdc_sync.organizations.repository import Repository
from sfdc_sync.organizations.runs import OrganizationSync
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce, open_salesforce
from sfdc_sync.settings import ZENDESK_SCOPES, Settings
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from sfdc_sync.ticket_records.facts import Facts
from supportops.clock import Clock, SystemClock
from supportops.config.rules_file import Place, Section, mistakes_in
from supportops.observability.metrics import Metrics, Recorder
from supportops.runtime.output import Report
from supportops.store import Store, open_store
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, Zendesk, open_zendesk

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
        facts = facts_of(policy, salesforce, directory_of(settings, policy, zendesk, clock, metrics), store)
        yield Verification(store, zendesk.exports, salesforce, facts, policy)


def directory_of(
    settings: Settings, policy: SfdcPolicy, zendesk: Zendesk, clock: Clock, metrics: Recorder
) -> ZendeskDirectory:
    """What is read from Zendesk for records."""
    lifetime = Lifetime(found=policy.lookup_lifetime)
    names = References(zendesk, clock=clock, metrics=metrics, lifetime=lifetime)
    return ZendeskDirectory(zendesk, names, policy=policy, base_url=settings.zendesk.base_url)


def facts_of(policy: SfdcPolicy, salesforce: Salesforce, directory: ZendeskDirectory, store: Store) -> Facts:
    """What finds out all that is known of tickets; merges of accounts that runs have seen are known for good."""
    known = Repository(store)
    matcher = Matcher(
        salesforce,
        policy.matching,
        clock=store.clock,
        lifetime=policy.lookup_lifetime,
        merges=known.merges,
        namesakes=known.namesakes,
    )
    return Facts(directory, matcher, policy)
