"""Runs: read, plan, brake, write, and keep what became of every row (docs/rules.md S5-S8).

One run at a time among all replicas (a lease). A run that is killed heals by the next one: each compares afresh, what
is done is not done again, and what an organization was made for is its external id, which Zendesk holds once.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import batched
from typing import Literal

from sfdc_sync.organizations.brake import Before, Tripped, judge
from sfdc_sync.organizations.links import own_id
from sfdc_sync.organizations.model import FIELD, NAME, TAGS, WRITES, Action, Change, Item, Organization, Plan
from sfdc_sync.organizations.planner import Options, Planner, left_over
from sfdc_sync.organizations.reading import Reader, Reading
from sfdc_sync.organizations.repository import Row, RowUpdate, changes_of
from sfdc_sync.organizations.salesforce_side import AccountsRead
from sfdc_sync.organizations.saved_plan import HOLDS, Judged, PlanDocument, judge_item, undo_of
from sfdc_sync.organizations.zendesk_side import BATCH, Written
from sfdc_sync.policy.organizations import OrganizationsPolicy
from supportops.errors import Permanent, SupportOpsError
from supportops.observability.logging import get_logger
from supportops.runtime.output import Report
from supportops.workers import RunLease

log = get_logger("sfdc_sync.organizations")

LEASE = "organizations"

type Kind = Literal["delta", "full", "bulk", "plan", "apply", "undo", "repair"]
type OpenTickets = Callable[[Collection[str]], Awaitable[Mapping[str, int]]]
"""Open tickets of organizations, as far as our own table knows them."""
type FollowMerges = Callable[[AccountsRead, bool], Awaitable[int]]
"""Have records written that name merged accounts, or such as came back; how many. True: everything was read."""


@dataclass(frozen=True)
class Neighbours:
    """What runs need of the other features. `granted`: sharing in force in words, by organization."""

    open_tickets: OpenTickets
    granted: Callable[[], Awaitable[Mapping[str, str]]]
    follow_merges: FollowMerges


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `counts`: items by action, rows by state."""

    run_id: str
    kind: Kind
    state: str
    counts: Mapping[str, int]
    stopped_by: tuple[Tripped, ...] = ()
    refused: int = 0
    moved: tuple[str, ...] = ()
    """A sentence each: what was left alone, since it is not as it was."""
    sharing: tuple[str, ...] = ()
    """A sentence each: sharing that a merge of accounts does not carry over."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing to mend: of a linked pair the value under `key` (all of it without), or a missing organization."""

    account_id: str | None
    organization_id: str | None = None
    key: str = ""
    create: bool = False

    def of(self, item: Item) -> tuple[Change, ...]:
        """Those of the item's changes that are meant; a plan's tags go with the plan."""
        if not self.key or item.action is not Action.UPDATE:
            return item.changes
        meant = {self.key} | ({TAGS} if self.key.startswith(FIELD) else set())
        return tuple(change for change in item.changes if change.key in meant)


class Stopped(Permanent):
    """The brake: nothing was written."""

    def __init__(self, run_id: str, tripped: Sequence[Tripped]) -> None:
        self.run_id, self.tripped = run_id, tuple(tripped)
        listed = "\n".join(f"  {each}" for each in tripped)
        super().__init__(
            f"the brake stops run {run_id} before its first write:\n{listed}\n"
            "Look at `sync --plan FILE`; when it is right: `sync release-brake --reason …`, and run again"
        )


class OrganizationSync:
    """The runs of one installation."""

    def __init__(
        self,
        lease: RunLease,
        reader: Reader,
        neighbours: Neighbours,
        report: Report = lambda _share, _words: None,
    ) -> None:
        self.lease, self.reader, self.report = lease, reader, report
        self.repository, self.zendesk, self.policy = reader.repository, reader.zendesk, reader.policy
        self._neighbours = neighbours

    async def full(self, kind: Literal["full", "bulk"], by: str, *, create: bool = False) -> RunResult:
        """Compare everything and correct it."""
        options = Options(
            create or kind in self.policy.create_on, self.policy.relink == "apply" or kind == "bulk"
        )
        async with self._run(kind, by) as run:
            reading = await self.reader.everything(self.lease.renew)
            await run.follow_merges(reading)
            return await run.finish(reading, await self._planned(reading, options))

    async def delta(self, by: str) -> RunResult:
        """Compare what changed since the last run; everything, when there was none yet."""
        last = await self.repository.last_done("delta", "full", "bulk")
        if last is None or await self.repository.last_done("full", "bulk") is None:
            return await self.full("full", by)
        options = Options("delta" in self.policy.create_on, self.policy.relink == "apply")
        async with self._run("delta", by) as run:
            reading = await self.reader.changes(last["watermark"])
            await run.follow_merges(reading)
            return await run.finish(reading, await self._planned(reading, options))

    async def plan(self, by: str, *, create: bool) -> PlanDocument:
        """What a full run would do; nothing is written."""
        async with self._run("plan", by) as run:
            reading = await self.reader.everything(self.lease.renew)
            plan = await self._planned(reading, Options(create or "bulk" in self.policy.create_on))
            tripped = await self.judged(plan, reading.world.organizations)
            await self.repository.add_rows(run.id, plan.items, "planned")
            await run.close("done", plan.counts)
            now = self.repository.now()
            return PlanDocument(now, reading.org.id, rules_of(self.policy), plan, tuple(map(str, tripped)))

    async def apply(self, document: PlanDocument, by: str) -> RunResult:
        """Do what still holds of a plan; name what has moved. Done already is done: the same file goes on."""
        if document.rules != rules_of(self.policy):
            raise Permanent("the rules have changed since this plan was made: make a new one")
        items = document.plan.writes
        async with self._run("apply", by) as run:
            accounts = {each.account_id for each in items if each.account_id}
            organizations = {each.organization_id for each in items if each.organization_id}
            reading = await self.reader.some(accounts, organizations)
            if reading.org.id != document.salesforce_org:
                raise Permanent(
                    f"the plan was made of org {document.salesforce_org}, this is {reading.org.id}"
                )
            made = await self._made_since(items)
            now = {each.id: each for each in reading.world.organizations}
            judged = [
                judge_item(
                    item,
                    made.get(item.account_id or "")
                    if item.action is Action.CREATE
                    else now.get(item.organization_id or ""),
                    reading.accounts.living.get(item.account_id or ""),
                )
                for item in items
            ]
            told = [each for each in document.plan.items if each.action is Action.SHARING]
            held = [each.item for each in judged if each.verdict == HOLDS]
            plan = replace(document.plan, items=(*held, *told), unreadable=reading.odd)
            return await run.finish(reading, plan, [each for each in judged if each.verdict != HOLDS])

    async def undo(self, run_id: str, by: str) -> RunResult:
        """Put back what a run did and nobody has touched since."""
        rows = await self.repository.rows_of(run_id, "done")
        if not rows:
            raise Permanent(f"run {run_id} is not known (any more), or has changed nothing")
        items = [_item(row) for row in rows]
        async with self._run("undo", by, of=run_id) as run:
            await self.reader.guard()
            ids = [each.organization_id for each in items if each.organization_id]
            now = await self.zendesk.by_id(ids, set())
            judged = [undo_of(item, now.get(item.organization_id or "")) for item in reversed(items)]
            plan = Plan(tuple(each.item for each in judged if each.verdict == HOLDS), linked=len(items))
            return await run.write(plan, [each for each in judged if each.verdict != HOLDS or each.reason])

    async def repair(self, what: Repair, by: str) -> RunResult:
        """Mend one thing and nothing else. Raises Permanent when there is nothing of it, or a conflict forbids it."""
        policy = self.policy.model_copy(update={"sync_name": self.policy.sync_name or what.key == NAME})
        async with self._run("repair", by) as run:
            accounts = {what.account_id} if what.account_id else set()
            reading = await self.reader.some(
                accounts, {what.organization_id} if what.organization_id else set()
            )
            create = what.create and not reading.unreadable
            plan = Planner(policy, Options(create)).plan(reading.world)
            mine = [each for each in plan.items if what.account_id in (each.account_id, None, *each.others)]
            items = tuple(replace(each, changes=what.of(each)) for each in mine if each.action in WRITES)
            items = tuple(each for each in items if each.changes)
            if not items:
                why = "; ".join(each.reason for each in mine if each.reason)
                raise Permanent(f"there is nothing to mend: {why or 'both sides agree by now'}")
            return await run.write(replace(plan, items=items))

    async def _planned(self, reading: Reading, options: Options) -> Plan:
        """The plan, with the open tickets that a change of SLA concerns."""
        if reading.unreadable:
            log.warning("organizations.unreadable", rows=reading.unreadable)
            options = replace(options, create=False)
        world = reading.world
        if any(each.winner for each in world.gone.values()):
            world = replace(world, granted=await self._neighbours.granted())
        plan = Planner(self.policy, options).plan(world)
        changed = {item.organization_id for item in plan.items if item.sla and item.organization_id}
        tickets = await self._neighbours.open_tickets(changed) if changed else {}
        items = tuple(
            replace(item, sla=f"{item.sla}, {tickets.get(item.organization_id or '', 0)} open tickets")
            if item.sla
            else item
            for item in plan.items
        )
        linked = max(plan.linked, reading.linked)
        return replace(plan, items=items, linked=linked, unreadable=reading.odd)

    async def judged(self, plan: Plan, organizations: Collection[Organization] = ()) -> list[Tripped]:
        """What the brake says about a plan."""
        last = await self.repository.last_done("full", "bulk", "delta")
        changed = {each.organization_id for each in plan.writes if each.organization_id}
        held: dict[str, int] = {}
        for each in organizations:
            if own_id(each, self.policy.salesforce_id):
                for key, value in each.values.items():
                    held[key] = held.get(key, 0) + (value not in (None, "", False))
        before = Before(
            filter_changed=last is not None and last["rules"] != rules_of(self.policy),
            written=await self.repository.wanted_of(changed) if last is not None else None,
            held=held,
        )
        return judge(plan, self.policy.brake, before)

    async def _made_since(self, items: Sequence[Item]) -> dict[str, Organization]:
        wanted = [each.account_id for each in items if each.action is Action.CREATE and each.account_id]
        found = await self.zendesk.by_external_id(wanted, set())
        return {key: each for each in found if (key := own_id(each, self.policy.salesforce_id))}

    async def follow_merges(self, read: AccountsRead, whole: bool) -> int:
        """Have the records of merged accounts written anew."""
        return await self._neighbours.follow_merges(read, whole)

    def _run(self, kind: Kind, by: str, of: str = "") -> "_Run":
        return _Run(self, kind, by, of)


class _Run:
    """One run: its row, from the lease to the last word."""

    def __init__(self, sync: OrganizationSync, kind: Kind, by: str, of: str) -> None:
        self._sync, self._kind, self._by, self._of = sync, kind, by, of
        self._closed = False
        self._renamed = 0
        self._stack = AsyncExitStack()
        self.id = ""

    async def __aenter__(self) -> "_Run":
        await self._stack.enter_async_context(self._sync.lease.held())
        await self._sync.repository.close_lost_runs()
        rules = rules_of(self._sync.policy)
        self.id = await self._sync.repository.open_run(self._kind, self._by, rules)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        async with self._stack:
            if not self._closed:
                await self.close("failed", {}, _why(error))

    async def follow_merges(self, reading: Reading) -> None:
        """Records of tickets that name accounts which were merged meanwhile: the worker writes them anew."""
        self._renamed = await self._sync.follow_merges(reading.accounts, reading.whole)

    async def close(
        self, state: str, counts: Mapping[str, int], reason: str = "", stopped: Sequence[str] = ()
    ) -> None:
        await self._sync.repository.close_run(self.id, state, counts, reason or self._of, stopped)
        self._closed = True
        log.info("organizations.run", run_id=self.id, kind=self._kind, state=state, **counts)

    async def finish(self, reading: Reading, plan: Plan, left: Sequence[Judged] = ()) -> RunResult:
        """Brake, write, and keep what is right from now on."""
        tripped = await self._sync.judged(plan, reading.world.organizations)
        if tripped and await self._sync.repository.use_release(self.id) is None:
            await self._sync.repository.add_rows(self.id, plan.items, "held")
            await self.close("stopped", self._counted(plan), "the brake", [str(each) for each in tripped])
            raise Stopped(self.id, tripped)
        result = await self.write(plan, left, tripped)
        await self._keep(reading, result, plan)
        return result

    async def write(
        self, plan: Plan, left: Sequence[Judged] = (), released: Sequence[Tripped] = ()
    ) -> RunResult:
        """Write a plan in batches, and what became of each row after each batch."""
        repository, writes = self._sync.repository, plan.writes
        others = [each for each in plan.items if each.action not in WRITES]
        items = [*writes, *others, *(each.item for each in left)]
        await repository.add_rows(self.id, items, "planned")
        told = [RowUpdate(len(plan.items) + at, each.verdict, each.reason) for at, each in enumerate(left)]
        told += [RowUpdate(at, "held", items[at].reason) for at in range(len(writes), len(plan.items))]
        await repository.set_rows(self.id, told)
        self._refused: dict[str, str] = {}
        done = 0
        changed = [(at, item) for at, item in enumerate(writes) if item.action is not Action.CREATE]
        made = [(at, item) for at, item in enumerate(writes) if item.action is Action.CREATE]
        for work, rows in ((self._sync.zendesk.update, changed), (self._sync.zendesk.create, made)):
            for some in batched(rows, BATCH):
                await self._sync.lease.renew()
                done += await self._batch(work, some)
                self._sync.report(done / max(1, len(writes)), f"{done} of {len(writes)} written")
        counts = self._counted(plan) | {"done": done, "refused": len(self._refused), "left": len(left)}
        await self.close("done", counts, stopped=[str(each) for each in released])
        moved = tuple(f"{each.item.name}: {each.reason}" for each in left)
        refused = len(self._refused)
        return RunResult(
            self.id, self._kind, "done", counts, tuple(released), refused, moved, lost_sharing(plan)
        )

    def _counted(self, plan: Plan) -> dict[str, int]:
        return plan.counts | ({"records": self._renamed} if self._renamed else {})

    async def _batch(
        self, work: Callable[[Sequence[Item]], Awaitable[list[Written]]], some: Sequence[tuple[int, Item]]
    ) -> int:
        written = await work([item for _, item in some])
        by_item = {id(each.item): each for each in written}
        updates = []
        for at, item in some:
            each = by_item[id(item)]
            updates.append(RowUpdate(at, each.state, each.reason, each.organization_id))
            if each.state == "refused" and item.account_id:
                self._refused[item.account_id] = each.reason
        await self._sync.repository.set_rows(self.id, updates)
        return sum(1 for each in written if each.state == "done")

    async def _keep(self, reading: Reading, result: RunResult, plan: Plan) -> None:
        """Accounts with their organizations and refusals, and the values that are right now."""
        repository, delta = self._sync.repository, self._kind == "delta"
        waiting = await repository.refused_accounts()
        creates = "delta" in self._sync.policy.create_on
        again = left_over(plan, waiting, creates=creates, delta=delta) | self._refused
        links = {
            key: each.id
            for each in reading.world.organizations
            if (key := own_id(each, reading.world.salesforce_id))
        }
        rows = await repository.rows_of(result.run_id, "done")
        links |= {
            row["account_id"]: row["organization_id"]
            for row in rows
            if row["account_id"] and row["organization_id"]
        }
        living = reading.accounts.living
        await repository.remember_accounts(((each, links.get(key)) for key, each in living.items()), again)
        right = (
            (links[key], each.target)
            for key, each in living.items()
            if key in links and key not in self._refused
        )
        await repository.set_right(right)


def _why(error: BaseException | None) -> str:
    """Why a run has failed, for whoever reads the list of runs."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "ended from outside before it was through: what is done is done, the next run goes on"
    return str(error) if isinstance(error, SupportOpsError) else type(error).__name__


def lost_sharing(plan: Plan) -> tuple[str, ...]:
    """The sharing that a person has to decide about, a sentence each."""
    return tuple(f"{each.name}: {each.reason}" for each in plan.items if each.action is Action.SHARING)


def rules_of(policy: OrganizationsPolicy) -> str:
    """A digest of the rules that decide what is read and compared."""
    told = policy.model_dump_json(
        include={"types", "name", "sync_name", "fields", "plan", "marked", "back_reference"}
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _item(row: Row) -> Item:
    return Item(
        Action(row["action"]),
        row["rule"],
        row["name"],
        row["account_id"],
        row["organization_id"],
        changes_of(row["changes"]),
    )
