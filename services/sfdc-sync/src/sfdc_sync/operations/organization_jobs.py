"""What runs and reports are made of, for the worker's periodic jobs and for the commands alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sfdc_sync.integrity.checks import Integrity, Products
from sfdc_sync.integrity.daily import days
from sfdc_sync.integrity.merges import MergeFollower, granted
from sfdc_sync.integrity.reports import REPORTS
from sfdc_sync.organizations.reading import Production, Reader
from sfdc_sync.organizations.repository import Repository
from sfdc_sync.organizations.runs import LEASE, Neighbours, OrganizationSync
from sfdc_sync.organizations.salesforce_side import AccountReader
from sfdc_sync.organizations.zendesk_side import ZendeskSide
from sfdc_sync.policy.ignored import IgnoreList, load_ignored
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.policy.overrides import Overrides, load_overrides
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.salesforce.rows import Row
from sfdc_sync.tables import integrity_findings, sync_rows, sync_runs
from sfdc_sync.ticket_records.repository import open_tickets
from supportops.runtime.output import Report
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from supportops.workers import Periodic, Retention, RunLease

WORKER = "worker"
"""Who starts the runs that nobody starts by hand."""


@dataclass(frozen=True)
class Vendors:
    """Both sides, open."""

    store: Store
    salesforce: Salesforce
    zendesk: Zendesk


@dataclass(frozen=True)
class Files:
    """What stands in files of its own beside the rules."""

    overrides: Overrides
    ignored: IgnoreList


def files_of(policy: OrganizationsPolicy, rules_file: Path) -> Files:
    """Reviewed values and ignored findings. Raises ConfigError."""
    overrides, ignored = policy.overrides_file, policy.integrity.ignore_file
    return Files(
        load_overrides(overrides and rules_file.parent / overrides, policy.fields),
        load_ignored(ignored and rules_file.parent / ignored, tuple(REPORTS)),
    )


def organization_sync(
    vendors: Vendors, rules: SfdcPolicy, overrides: Overrides, *, production: bool, report: Report
) -> OrganizationSync:
    """The runs of this installation."""
    store = vendors.store
    reader = reader_of(vendors, rules.organizations, overrides, production=production, report=report)
    follower = MergeFollower(store, reader.accounts, enabled="account" in rules.ticket_record.write_on)
    neighbours = Neighbours(partial(open_tickets, store), partial(granted, store), follower.follow)
    return OrganizationSync(RunLease(LEASE, store), reader, neighbours, report)


def reader_of(
    vendors: Vendors,
    policy: OrganizationsPolicy,
    overrides: Overrides,
    *,
    production: bool,
    report: Report,
    seen: Callable[[Row, str], None] = lambda _row, _account_id: None,
) -> Reader:
    """Both sides and our own list of them."""
    clock = vendors.store.clock
    return Reader(
        AccountReader(vendors.salesforce, policy, overrides, lambda: clock.now().date(), seen),
        ZendeskSide(vendors.zendesk.organization_admin, policy),
        Repository(vendors.store),
        policy,
        Production(production, policy.sandbox_allowed),
        report,
    )


def integrity(
    vendors: Vendors,
    policy: OrganizationsPolicy,
    files: Files,
    *,
    production: bool,
    report: Report,
) -> Integrity:
    """The reports of this installation."""
    products = Products(policy)
    clock = vendors.store.clock
    return Integrity(
        vendors.store,
        RunLease(LEASE, vendors.store),
        reader_of(vendors, policy, files.overrides, production=production, report=report, seen=products.note),
        products,
        files.ignored,
        partial(open_tickets, vendors.store),
        lambda: clock.now().date(),
    )


def periodic_runs(sync: OrganizationSync, store: Store, policy: OrganizationsPolicy) -> Sequence[Periodic]:
    """The delta, the full compare, and the days of the reports, where the rules have switched them on."""
    if not policy.enabled:
        return ()

    async def delta() -> None:
        await sync.delta(WORKER)

    async def full() -> None:
        await sync.full("full", WORKER)

    return (
        Periodic("organizations.delta", store, delta, policy.every),
        Periodic("organizations.full", store, full, policy.full_every),
        days(store, policy),
    )


def retention(policy: OrganizationsPolicy) -> tuple[Retention, ...]:
    """How long runs and fixed findings can be looked at."""
    return (
        Retention(sync_rows, sync_rows.c.at, policy.keep),
        Retention(sync_runs, sync_runs.c.finished_at, policy.keep * 12),
        Retention(integrity_findings, integrity_findings.c.gone_since, policy.keep * 3),
    )
