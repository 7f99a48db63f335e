"""A run of the reports: read both sides, judge, keep, tell whoever listens (event `salesforce.integrity.checked`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from uuid_utils import uuid7

from sfdc_sync.integrity.findings import Weighed, keep, open_findings, run_row
from sfdc_sync.integrity.reports import REPORTS, Facts, judge
from sfdc_sync.organizations.reading import Reader
from sfdc_sync.organizations.runs import OpenTickets
from sfdc_sync.policy.ignored import IgnoreList
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce.rows import Row, value_at
from sfdc_sync.tables import integrity_runs
from supportops.contracts import IntegrityChecked, IntegrityReport
from supportops.errors import SupportOpsError
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.store.upsert import insert_for
from supportops.workers import Busy, RunLease

log = get_logger("sfdc_sync.integrity")


class Products:
    """What accounts' product field says, noted while they are read."""

    def __init__(self, policy: OrganizationsPolicy) -> None:
        self._path = policy.integrity.product
        self._found: dict[str, str] = {}

    def note(self, row: Row, account_id: str) -> None:
        """Called for every account that is read."""
        value = value_at(row, self._path) if self._path is not None else None
        if value:
            self._found[account_id] = str(value)
        else:  # it may have had one the day before
            self._found.pop(account_id, None)

    @property
    def known(self) -> Mapping[str, str] | None:
        """Account's id -> its products; None where the rules name no such field."""
        return None if self._path is None else self._found


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was read, judged, and is not kept yet."""

    run_id: str
    started: datetime
    accounts: int
    organizations: int
    found: tuple[Weighed, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run found."""

    run_id: str
    reports: tuple[IntegrityReport, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True)
class Integrity:
    """Reads both sides and judges them: daily (`daily.DailyCheck`), and by hand."""

    store: Store
    lease: RunLease
    reader: Reader
    products: Products
    ignored: IgnoreList
    open_tickets: OpenTickets
    today: Callable[[], date]

    async def run(self) -> Checked:
        """Judge everything, and keep it."""
        judgement = await self.judge()
        async with self.store.transaction() as tx:
            return await self.keep(tx, judgement)

    async def judge(self) -> Judgement:
        """Judge everything; nothing is kept. What cannot be read is an error, and nothing is new or fixed by it.

        Raises Busy while a run is at it, and what the calls raise; that is kept as a run that failed.
        """
        run_id, started = str(uuid7()), self.store.clock.now()
        try:
            async with self.lease.held():
                reading = await self.reader.everything(self.lease.renew)
        except Busy:
            raise
        except SupportOpsError as error:
            async with self.store.transaction() as tx:
                row = run_row(run_id, "failed", started, tx, (), str(error))
                await tx.execute(insert_for(tx.dialect, integrity_runs).values(row))
            raise
        found, not_judged = judge(Facts(reading.world, self.reader.policy, self.products.known))
        tickets = await self.open_tickets({each.organization_id for each in found if each.organization_id})
        today = self.today()
        weighed = tuple(
            Weighed(
                each,
                tickets.get(each.organization_id or "", 0),
                self.ignored.reason(each.report, (each.account_id, each.organization_id), today),
            )
            for each in found
        )
        world = reading.world
        return Judgement(
            run_id, started, len(world.accounts), len(world.organizations), weighed, tuple(not_judged)
        )

    async def keep(self, tx: Transaction, judgement: Judgement) -> Checked:
        """Findings, the run and its event, all of them in this transaction."""
        known = await open_findings(tx)
        judged = [name for name in REPORTS if name not in judgement.not_judged]
        reports = tuple(await keep(tx, judgement.found, known, judged))
        row = run_row(judgement.run_id, "done", judgement.started, tx, reports)
        await tx.execute(insert_for(tx.dialect, integrity_runs).values(row))
        tx.publish(
            IntegrityChecked(
                id=judgement.run_id,
                source="/sfdc-sync",
                time=tx.now,
                subject=judgement.run_id,
                run_id=judgement.run_id,
                checked_at=judgement.started,
                accounts=judgement.accounts,
                organizations=judgement.organizations,
                reports=list(reports),
                not_judged=list(judgement.not_judged),
            )
        )
        log.info("integrity.checked", run_id=judgement.run_id, open=sum(each.open for each in reports))
        return Checked(judgement.run_id, reports, judgement.not_judged)
