"""A run of the reports: read both sides, judge, keep, tell whoever listens (event `salesforce.integrity.checked`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from uuid_utils import uuid7

from sfdc_sync.integrity.findings import Findings, Weighed, keep, run_row
from sfdc_sync.integrity.reports import REPORTS, Facts, judge
from sfdc_sync.organizations.fields import Row, at
from sfdc_sync.organizations.reading import Reader
from sfdc_sync.organizations.runs import OpenTickets
from sfdc_sync.policy.ignored import IgnoreList
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.tables import integrity_runs
from supportops.contracts import IntegrityChecked, IntegrityReport
from supportops.errors import SupportOpsError
from supportops.observability.logging import get_logger
from supportops.store import Store
from supportops.store.upsert import insert_for
from supportops.workers import RunLease

log = get_logger("sfdc_sync.integrity")


class Products:
    """What accounts' product field says, noted while they are read."""

    def __init__(self, policy: OrganizationsPolicy) -> None:
        self._path = policy.integrity.product
        self._found: dict[str, str] = {}

    def note(self, row: Row, account_id: str) -> None:
        """Called for every account that is read."""
        if self._path is not None and (value := at(row, self._path)):
            self._found[account_id] = str(value)

    @property
    def known(self) -> Mapping[str, str] | None:
        """Account's id -> its products; None where the rules name no such field."""
        return None if self._path is None else self._found


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run found."""

    run_id: str
    reports: tuple[IntegrityReport, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True)
class Integrity:
    """The daily run, and the same by hand."""

    store: Store
    lease: RunLease
    reader: Reader
    products: Products
    ignored: IgnoreList
    open_tickets: OpenTickets
    today: Callable[[], date]

    async def run(self) -> Checked:
        """Judge everything. What cannot be read is an error, and nothing is new or fixed by it."""
        run_id, started = str(uuid7()), self.store.clock.now()
        try:
            async with self.lease.held():
                reading = await self.reader.everything(self.lease.renew)
        except SupportOpsError as error:
            async with self.store.transaction() as tx:
                row = run_row(run_id, "failed", started, tx, (), str(error))
                await tx.execute(insert_for(tx.dialect, integrity_runs).values(row))
            raise
        found, not_judged = judge(Facts(reading.world, self.reader.policy, self.products.known))
        tickets = await self.open_tickets({each.organization_id for each in found if each.organization_id})
        today = self.today()
        weighed = [
            Weighed(
                each,
                tickets.get(each.organization_id or "", 0),
                self.ignored.reason(each.report, (each.account_id, each.organization_id), today),
            )
            for each in found
        ]
        known = await Findings(self.store).open()
        judged = [name for name in REPORTS if name not in not_judged]
        async with self.store.transaction() as tx:
            reports = await keep(tx, weighed, known, judged)
            await tx.execute(
                insert_for(tx.dialect, integrity_runs).values(run_row(run_id, "done", started, tx, reports))
            )
            tx.publish(
                IntegrityChecked(
                    id=run_id,
                    source="/sfdc-sync",
                    time=tx.now,
                    subject=run_id,
                    run_id=run_id,
                    checked_at=started,
                    accounts=len(reading.world.accounts),
                    organizations=len(reading.world.organizations),
                    reports=reports,
                    not_judged=not_judged,
                )
            )
        log.info("integrity.checked", run_id=run_id, open=sum(each.open for each in reports))
        return Checked(run_id, tuple(reports), tuple(not_judged))
