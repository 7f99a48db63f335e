"""The reports of a day are a delivery: one a day however many replicas there are, and one event, whoever dies when."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from sfdc_sync.destinations import INTEGRITY
from sfdc_sync.integrity.daily import DailyCheck, days
from sfdc_sync.organizations.runs import LEASE
from sfdc_sync.organizations.salesforce_side import Unreadable
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.tables import integrity_runs
from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Snooze
from supportops.store import Store, open_store
from supportops.store.tables import ENGINE
from supportops.workers import RunLease
from tests.integration.sfdc_sync.sandbox import Outside, command_environment
from tests.integration.sfdc_sync.sync_app import ACME, POLICY, Sync
from tests.support.commands import run_command
from tests.support.databases import SqliteDatabases, on_the_side
from tests.support.engine import ByHand, store_on

DAY = timedelta(days=1)
MORNING = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-28T00:00:00+00:00", "2026-11-29T00:00:00+00:00"
ON = OrganizationsPolicy.model_validate({**dict(POLICY), "enabled": True})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MORNING)


@pytest.fixture
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    settings = DatabaseSettings(url=SecretStr(new_database("sfdc_sync")), pool=4)
    async with open_store(settings, clock=clock) as opened:
        yield opened


def destination(sync: Sync, policy: OrganizationsPolicy = ON) -> DailyCheck:
    return DailyCheck(sync.integrity(enabled=True), policy)


async def waiting(store: Store) -> dict[str, str]:
    """The days' deliveries with their states."""
    book = ENGINE.deliveries.c
    async with store.reading() as conn:
        rows = await conn.execute(select(book.key, book.state).where(book.destination == INTEGRITY))
        return {row.key: row.state for row in rows}


async def told(store: Store) -> int:
    """Events that wait for the broker."""
    async with store.reading() as conn:
        rows = (await conn.execute(select(ENGINE.outbox.c.topic))).scalars().all()
    return rows.count("salesforce.integrity")


async def runs(store: Store) -> list[Any]:
    async with store.reading() as conn:
        return list((await conn.execute(select(integrity_runs.c.state))).scalars())


async def due(sync: Sync) -> tuple[ByHand, Delivery]:
    store = sync.vendors.store
    await days(store, ON).run_if_due()
    hand = ByHand(store, destination(sync).spec)
    return hand, await hand.take()


@pytest.mark.both_databases
async def test_a_day_is_judged_and_told_once_by_whichever_replica_and_also_after_one_has_died(
    sync: Sync, clock: ManualClock
) -> None:
    store = sync.vendors.store
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    for _ in range(2):  # replicas that both start, and one that starts again an hour later
        await days(store, ON).run_if_due()
        clock.advance(timedelta(hours=1))
    assert await waiting(store) == {TODAY: "waiting", TOMORROW: "waiting"}
    hand = ByHand(store, destination(sync).spec)
    lost = await hand.take()
    (judged,) = await destination(sync).deliver([lost])
    assert isinstance(judged, Done)  # and the process dies before it can say so
    assert (await told(store), await runs(store)) == (0, [])
    assert await hand.claim() == [], "another replica leaves it alone as long as it may live"
    clock.advance(timedelta(minutes=20))
    again = await hand.take()
    (outcome,) = await destination(sync).deliver([again])
    await hand.complete((again, outcome))
    await hand.complete((lost, judged))  # it lives after all, and comes too late
    assert (await told(store), await runs(store)) == (1, ["done"])
    await days(store, ON).run_if_due()
    assert await waiting(store) == {TODAY: "done", TOMORROW: "waiting"}
    assert await hand.claim() == [], "the next one is not due"
    clock.advance(DAY)
    next_day = await hand.take()
    assert next_day.key == TOMORROW
    await hand.complete((next_day, (await destination(sync).deliver([next_day]))[0]))
    assert (await told(store), await runs(store)) == (2, ["done", "done"])


async def test_a_day_that_is_over_is_left_to_the_one_that_has_begun(sync: Sync, clock: ManualClock) -> None:
    """A service that was away over a weekend judges once, not once per day."""
    _, delivery = await due(sync)
    clock.advance(2 * DAY)
    (outcome,) = await destination(sync).deliver([delivery])
    assert isinstance(outcome, Cancel)
    assert await runs(sync.vendors.store) == []


async def test_a_run_of_accounts_is_waited_for_and_costs_no_attempt(sync: Sync) -> None:
    _, delivery = await due(sync)
    async with RunLease(LEASE, sync.vendors.store).held():
        (outcome,) = await destination(sync).deliver([delivery])
    assert isinstance(outcome, Snooze)
    assert await runs(sync.vendors.store) == [], "nothing has failed"


async def test_what_cannot_be_read_is_a_failed_run_of_which_nobody_is_told(sync: Sync) -> None:
    _, delivery = await due(sync)
    sync.systems.salesforce("rights", hidden=["Account.Support_Level__c"])
    with pytest.raises(Unreadable):
        await destination(sync).deliver([delivery])
    assert (await runs(sync.vendors.store), await told(sync.vendors.store)) == (["failed"], 0)


async def test_rules_that_were_switched_off_meanwhile_judge_nothing(sync: Sync) -> None:
    _, delivery = await due(sync)
    (outcome,) = await destination(sync, POLICY).deliver([delivery])
    assert isinstance(outcome, Cancel)


def test_a_day_that_was_given_up_is_listed_shown_tried_again_and_cancelled_by_hand(
    outside: Outside, rules_file: Path, tmp_path: Path
) -> None:
    """The commands of every service, about this delivery; a day that cannot be read is dead in the end."""
    url = SqliteDatabases(tmp_path).new("sfdc_sync")
    on_the_side(lambda: asyncio.run(give_up(url)))
    environment = command_environment(outside, rules_file, url)

    def deliveries(*arguments: str) -> tuple[int, Any]:
        done = run_command("sfdc_sync", "deliveries", *arguments, "--json", environment=environment)
        return done.returncode, json.loads(done.stdout or "null")

    code, (dead,) = deliveries("list", "--destination", INTEGRITY, "--state", "dead")
    assert (code, dead["key"], dead["reason"]) == (0, TODAY, "Account.Market_Segment__c is hidden")
    code, (shown,) = deliveries("show", TODAY, "--personal")
    assert (code, shown["payload"], shown["state"]) == (0, {"day": TODAY}, "dead")
    assert deliveries("retry", TODAY) == (0, [{"destination": INTEGRITY, "key": TODAY, "retry": True}])
    _, again = deliveries("list", "--destination", INTEGRITY)
    assert {each["key"]: each["state"] for each in again} == {TODAY: "waiting", TOMORROW: "waiting"}
    assert deliveries("retry", TODAY)[0] == 1, "it is tried already"
    assert deliveries("cancel", TODAY, "--reason", "the org is being moved")[0] == 0
    _, (ended,) = deliveries("show", TODAY)
    assert (ended["state"], "the org is being moved" in str(ended["outcome"])) == ("cancelled", True)


async def give_up(url: str) -> None:
    """The day's delivery, dead."""
    async with store_on(url, clock=ManualClock(MORNING)) as store:
        await days(store, ON).run_if_due()
        hand = ByHand(store, DestinationSpec(INTEGRITY, concurrency=1, idempotent=True))
        delivery = await hand.take()
        await hand.complete((delivery, Discard("Account.Market_Segment__c is hidden")))
