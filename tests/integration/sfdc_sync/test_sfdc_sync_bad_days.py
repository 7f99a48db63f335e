"""Runs of accounts on bad days: nothing doubled, nothing blanked, and the run says what it did."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from sfdc_sync.operations.organization_jobs import WORKER, Vendors, periodic_runs
from sfdc_sync.organizations import runs
from sfdc_sync.organizations.model import Item
from sfdc_sync.organizations.reading import WrongEnvironment
from sfdc_sync.organizations.repository import DIED, Repository
from sfdc_sync.organizations.runs import OrganizationSync
from sfdc_sync.organizations.salesforce_side import Unreadable
from sfdc_sync.organizations.zendesk_side import Written
from sfdc_sync.policy.organizations import OrganizationField, PlanPolicy, Subscriptions, default_fields
from supportops.clock import ManualClock
from supportops.errors import DestinationPaused, Permanent
from supportops.store import is_outage, migrate
from supportops.vendors.zendesk import OrganizationAdmin, OrganizationDetail
from tests.integration.sfdc_sync.sandbox import Outside
from tests.integration.sfdc_sync.sync_app import ACME, ACME_ORG, GROABLET, GROABLET_ORG, POLICY, Sync, fields
from tests.support.databases import on_the_side
from tests.support.engine import store_on
from tests.support.infra import Kind
from tests.support.servers import Server

type Writes = Callable[[Sequence[Item]], Awaitable[list[Written]]]
MANY = 7
"""Subscriptions of one account, on pages of two."""


@pytest.fixture
def small_pages(outside: Outside) -> Iterator[None]:
    """Salesforce answers two rows at a time."""
    outside.page(2)
    yield
    outside.page(2_000)


def without_acme(real: Callable[..., Awaitable[dict[str, OrganizationDetail]]]) -> Callable[..., object]:
    """Zendesk's organizations by id, one of which is there and cannot be read."""

    async def one_is_odd(
        admin: OrganizationAdmin, ids: Iterable[str], odd: set[str] | None = None
    ) -> dict[str, OrganizationDetail]:
        found = await real(admin, ids, odd)
        if ACME_ORG in found:
            del found[ACME_ORG]
            if odd is None:
                raise Permanent("zendesk: a OrganizationDetail we cannot read: tags")
            odd |= {ACME_ORG, ACME}
        return found

    return one_is_odd


async def of_nobody(
    _admin: OrganizationAdmin, _external_ids: Iterable[str], _odd: set[str]
) -> list[OrganizationDetail]:
    """What can be read of organizations by their external ids."""
    return []


async def ended(sync: Sync) -> tuple[str, str]:
    """How the last run ended, and why."""
    (run, *_) = await sync.repository.runs(1)
    return run["state"], run["reason"] or ""


async def test_a_salesforce_sandbox_may_not_write_to_a_production_zendesk_unless_told(sync: Sync) -> None:
    (org,) = sync.systems.records("Organization")
    sync.systems.edit("Organization", org["Id"], IsSandbox=True)
    await sync.repository.unpin("salesforce")
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    before = sync.systems.writes()
    with pytest.raises(WrongEnvironment, match="sandbox_allowed"):
        await sync.of(production=True).full("full", "test")
    with pytest.raises(WrongEnvironment, match="sandbox_allowed"):
        await sync.of(production=True).plan("test", create=False)
    assert sync.systems.writes() == before
    assert (await ended(sync))[0] == "failed"
    told = POLICY.model_copy(update={"sandbox_allowed": True})
    assert (await sync.of(told, production=True).full("full", "test")).counts["done"] == 1


async def test_an_org_that_was_refreshed_is_read_once_a_person_has_said_so(sync: Sync) -> None:
    """Records keep their ids in a refreshed sandbox: the org's own id alone tells."""
    await sync.repository.unpin("salesforce")
    await sync.repository.pinned("salesforce", "00D000000000001EAA production")
    with pytest.raises(WrongEnvironment, match="sync pin"):
        await sync.of().delta("test")
    await sync.repository.unpin("salesforce")  # what `sync pin` does
    assert (await sync.of().delta("test")).state == "done"


async def test_an_amount_is_written_in_the_currency_that_the_rules_name(sync: Sync) -> None:
    sync.systems.salesforce("rates", USD=1, EUR=0.8)
    sync.systems.edit_account(ACME, CARR_This_Account__c=1_000, CurrencyIsoCode="EUR")
    await sync.of().full("full", "test")
    assert fields(sync.systems.organization(ACME_ORG), "aar") == [1_000]
    converted = OrganizationField(source="CARR_This_Account__c", type="decimal", currency="converted")
    await sync.with_rules(fields={**default_fields(), "aar": converted}).full("full", "test")
    assert fields(sync.systems.organization(ACME_ORG), "aar") == [1_250], (
        "1,000 EUR in the users' own currency"
    )


async def test_a_day_that_comes_back_as_a_moment_is_written_once(sync: Sync) -> None:
    """Also where the rules spell the field otherwise than Salesforce answers it."""
    ends = OrganizationField(source="support_ends__C", type="date")
    rules = sync.with_rules(fields={**default_fields(), "expiration_date": ends})
    sync.systems.edit_account(ACME, Support_Ends__c="2026-12-31")
    await rules.full("full", "test")
    assert fields(sync.systems.organization(ACME_ORG), "expiration_date") == ["2026-12-31T00:00:00+00:00"]
    written = sync.systems.writes()
    assert (await rules.full("full", "test")).counts["done"] == 0
    assert sync.systems.writes() == written


async def test_one_organization_that_cannot_be_read_leaves_the_rest_of_a_plan_to_be_applied(
    sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (ACME, GROABLET):
        sync.systems.edit_account(key, Support_Level__c="Gold")
    document = await sync.of().plan("test", create=False)
    before = sync.systems.writes()
    with monkeypatch.context() as patched:
        patched.setattr(OrganizationAdmin, "by_id", without_acme(OrganizationAdmin.by_id))
        patched.setattr(OrganizationAdmin, "by_external_id", of_nobody)
        result = await sync.of().apply(document, "test")
    assert (result.counts["done"], len(result.moved)) == (1, 1)
    assert "cannot be read" in result.moved[0]
    assert sync.systems.writes()[len(before) :] == [f"updated {GROABLET_ORG}"]
    assert (await sync.of().apply(document, "test")).counts["done"] == 1, "the same plan goes on"


@pytest.mark.usefixtures("small_pages")
async def test_the_best_subscription_counts_also_when_it_is_on_a_later_page(sync: Sync) -> None:
    for number in range(MANY):
        plan = "Ultimate" if number == MANY - 1 else "Gold"
        sync.systems.subscription(ACME, plan, "Active")
    sync.systems.subscription(GROABLET, "Ultimate", "Expired")
    sync.systems.subscription(GROABLET, "Premium", "Active")
    found = Subscriptions(
        relationship="Customer_Subscriptions__r",
        status="Current_Subscription_Status__c",
        plan="Plan_Name__c",
        ends="Current_Term_End_Date__c",
    )
    await sync.with_rules(plan=PlanPolicy(subscriptions=found)).full("full", "test")
    plans = [fields(sync.systems.organization(key), "support_level")[0] for key in (ACME_ORG, GROABLET_ORG)]
    assert plans == ["ultimate", "premium"]


async def test_what_the_worker_does_every_hour_is_one_run_however_many_replicas_there_are(sync: Sync) -> None:
    rules = POLICY.model_copy(update={"enabled": True})
    before = len(await sync.repository.runs(100))
    replicas = [periodic_runs(sync.of(rules), sync.vendors.store, rules)[0] for _ in range(3)]
    ran = await asyncio.gather(*(each.run_if_due() for each in replicas))
    assert sorted(ran) == [False, False, True]
    assert not any([await each.run_if_due() for each in replicas]), "the next one is due in an hour"
    started = (await sync.repository.runs(100))[: -before or None]
    assert [(run["kind"], run["started_by"], run["state"]) for run in started] == [("delta", WORKER, "done")]


@pytest.mark.usefixtures("small_pages")
async def test_a_quota_that_ends_in_the_middle_of_reading_blanks_nothing_and_is_told(
    sync: Sync, outside: Outside
) -> None:
    for number in range(6):
        sync.systems.account(f"Company {number}")
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    before = sync.systems.writes()
    outside.limit(daily=int((outside.calls() + 4) / POLICY.quota_share))
    with pytest.raises(DestinationPaused, match="daily requests"):
        await sync.of().full("bulk", "test")
    assert sync.systems.writes() == before
    state, why = await ended(sync)
    assert (state, "daily requests" in why) == ("failed", True)
    outside.limit(daily=100_000)
    assert (await sync.of().full("bulk", "test")).counts["done"] == 1


@pytest.mark.parametrize("what", ["delta", "full", "apply"])
async def test_a_field_that_is_hidden_between_two_runs_stops_each_kind_of_run(sync: Sync, what: str) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold", Market_Segment__c="Large")
    document = await sync.of().plan("test", create=False)
    before = sync.systems.writes()
    sync.systems.salesforce("rights", hidden=["Account.Market_Segment__c"])
    kinds = {
        "delta": lambda: sync.of().delta("test"),
        "full": lambda: sync.of().full("full", "test"),
        "apply": lambda: sync.of().apply(document, "test"),
    }
    with pytest.raises(Unreadable, match=r"Account\.Market_Segment__c"):
        await kinds[what]()
    assert sync.systems.writes() == before
    assert (await ended(sync))[0] == "failed"
    sync.systems.salesforce("rights", hidden=[])
    assert (await sync.of().delta("test")).counts["done"] == 1


async def test_an_organization_that_cannot_be_read_holds_up_no_other_and_is_not_taken_for_gone(
    sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (ACME, GROABLET):
        sync.systems.edit_account(key, Support_Level__c="Gold")
    before = sync.systems.writes()
    with monkeypatch.context() as patched:
        patched.setattr(OrganizationAdmin, "by_id", without_acme(OrganizationAdmin.by_id))
        result = await sync.of().delta("test")
    assert (result.counts["done"], result.counts["unreadable"]) == (1, 1)
    assert sync.systems.writes()[len(before) :] == [f"updated {GROABLET_ORG}"]
    assert (await sync.of().full("full", "test")).counts["done"] == 1, "the next full compare heals it"
    assert sync.systems.writes()[len(before) + 1 :] == [f"updated {ACME_ORG}"]


async def test_a_run_that_is_interrupted_says_so_and_the_next_begins_at_once(sync: Sync) -> None:
    """Ctrl-C in the middle: the lease is free, nothing is left half told."""
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    run = sync.of()
    begun = asyncio.Event()

    async def waits(_items: Sequence[Item]) -> list[Written]:
        begun.set()
        return await asyncio.Future()

    setattr(run.zendesk, "update", waits)  # noqa: B010  # of this one object
    work = asyncio.create_task(run.full("full", "test"))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    state, why = await ended(sync)
    assert (state, "ended from outside" in why) == ("failed", True)
    assert (await sync.of().full("full", "test")).counts["done"] == 1


async def test_a_run_that_died_is_told_by_the_next_with_what_its_rows_say(sync: Sync) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    document = await sync.of().plan("test", create=False)
    dead = await sync.repository.open_run("apply", "test", "")
    await sync.repository.add_rows(dead, document.plan.items, "planned")
    await sync.of().delta("test")
    run = await sync.repository.run(dead)
    assert run is not None
    assert (run["state"], run["reason"], run["counts"]) == ("failed", DIED, '{"planned":1}')


@pytest.mark.chaos
async def test_a_database_that_is_killed_in_the_middle_of_writing_leaves_nothing_twice_and_a_run_that_says_so(
    sync: Sync, own_server: Callable[[Kind], Server], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row a batch. It dies between two batches, and after a call that changed or made what it could not note."""
    monkeypatch.setattr(runs, "BATCH", 1)
    server = own_server("postgres")
    on_the_side(lambda: migrate.upgrade(server.address, "sfdc_sync"))
    made: list[str] = []
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_on(server.address, clock=clock, pool=3))
        vendors = Vendors(store, sync.vendors.salesforce, sync.vendors.zendesk)
        real = Sync(vendors, sync.systems)
        await real.of().full("full", "test")  # creates nothing
        for plan, dies, call in (
            ("Gold", between_batches, "updated"),
            ("Silver", after_a_call, "updated"),
            ("Silver", after_a_call, "created"),
        ):
            sync.systems.edit_account(ACME, Support_Level__c=plan)
            sync.systems.edit_account(GROABLET, Support_Level__c=plan)
            if call == "created":
                made += [
                    sync.systems.account(f"New {number}", Support_Level__c="Gold") for number in range(2)
                ]
            before = sync.systems.writes()
            with pytest.raises((DBAPIError, OSError)) as caught:
                await dies(real.of(), server).full("bulk", "test", create=True)
            assert is_outage(caught.value)
            (lost,) = sync.systems.writes()[len(before) :]
            assert lost.startswith(call)
            server.start()
            clock.advance(timedelta(minutes=3))  # the dead one's lease
            await real.of().full("bulk", "test", create=True)
            written = sync.systems.writes()[len(before) :]
            assert len(written) == len(set(written)) == 2, "each is written, and nothing twice"
            orgs = [sync.systems.organization(key) for key in (ACME_ORG, GROABLET_ORG)]
            assert [fields(each, "support_level") for each in orgs] == [[plan.lower()]] * 2
            assert [len(sync.systems.by_external_id(key)) for key in made] == [1] * len(made)
            done, died = (await Repository(store).runs(2))[:2]
            assert (done["state"], died["state"], died["reason"]) == ("done", "failed", DIED)
            states = [row["state"] for row in await Repository(store).rows_of(died["run_id"])]
            assert Counter(states) == (
                {"done": 1, "planned": 1} if dies is between_batches else {"planned": 2}
            )
            assert json.loads(died["counts"]) == Counter(states)


def between_batches(sync: OrganizationSync, server: Server) -> OrganizationSync:
    """The database dies when the first batch is written and noted."""
    sync.report = lambda _share, words: server.kill() if "1 of" in words else None
    return sync


def after_a_call(sync: OrganizationSync, server: Server) -> OrganizationSync:
    """The database dies when Zendesk has done what was asked, and we have not noted it."""
    zendesk = sync.zendesk
    for name, work in (("update", zendesk.update), ("create", zendesk.create)):
        setattr(zendesk, name, dying(work, server))  # of this one object
    return sync


def dying(work: Writes, server: Server) -> Writes:
    async def dies(items: Sequence[Item]) -> list[Written]:
        found = await work(items)
        server.kill()
        return found

    return dies
