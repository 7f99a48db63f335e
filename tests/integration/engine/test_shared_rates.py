"""Paces and budgets live in the database: replicas share them. Two stores are two processes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supportops.clock import ManualClock
from supportops.delivery import Budget, DestinationSpec, Done, Rate, Snooze
from supportops.delivery.claims import LEASE
from supportops.delivery.signs import Sign, Signal
from supportops.store import Store
from tests.support.engine import SECOND, ByHand, store_on

ONE_A_SECOND = Rate(1, SECOND)
PACED = DestinationSpec("slack", lane_pace=ONE_A_SECOND)


@pytest.fixture
async def stores(app_database: str, clock: ManualClock) -> AsyncIterator[tuple[Store, Store]]:
    async with store_on(app_database, clock) as one, store_on(app_database, clock) as other:
        yield one, other


async def test_a_lane_is_paced_whoever_calls(stores: tuple[Store, Store], clock: ManualClock) -> None:
    one, other = (ByHand(store, PACED) for store in stores)
    for key in ("a1", "a2", "a3"):
        await one.schedule(key, lane="a")
    await one.schedule("b1", lane="b")
    first = await one.claim()
    assert sorted(d.key for d in first) == ["a1", "b1"]  # between lanes there is no order
    await one.complete(*((delivery, Done()) for delivery in first))
    looked = await other.look()
    assert (looked.deliveries, looked.look_again_at) == ([], clock.now() + SECOND)
    clock.advance(SECOND - timedelta(milliseconds=1))
    assert await one.claim() == []
    clock.advance(timedelta(milliseconds=1))
    assert [d.key for d in await other.claim()] == ["a2"]
    assert await one.claim() == []


async def test_the_pace_counts_from_the_call_not_from_the_claim(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, PACED)
    await hand.schedule("a1", lane="a")
    await hand.schedule("a2", lane="a")
    delivery = await hand.take()
    clock.advance(5 * SECOND)  # it waited for a free call
    await hand.complete((delivery, Done()))
    assert await hand.claim() == []
    clock.advance(SECOND)
    assert [d.key for d in await hand.claim()] == ["a2"]


async def test_a_late_answer_does_not_free_a_paced_lane_early(store: Store, clock: ManualClock) -> None:
    slow, quick = ByHand(store, PACED), ByHand(store, PACED)
    await slow.schedule("a1", lane="a")
    await slow.schedule("a2", lane="a")
    late = await slow.take()
    started = clock.now()
    clock.advance(LEASE)
    again = await quick.take()
    await quick.complete((again, Done()))
    clock.advance(SECOND / 2)
    await slow.complete_started_at(started, late, Done())
    assert await quick.claim() == []


async def test_lanes_that_must_wait_do_not_hide_those_that_need_not(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, PACED)
    for lane in "ab":
        await hand.schedule(f"{lane}1", lane=lane, due_at=clock.now() - 9 * SECOND)
        await hand.schedule(f"{lane}2", lane=lane, due_at=clock.now() - 8 * SECOND)
    await hand.complete(*((delivery, Done()) for delivery in await hand.claim(limit=2)))
    await hand.schedule("c1", lane="c")
    assert [d.key for d in await hand.claim(limit=2)] == ["c1"]


BUDGET = Budget("zendesk", Rate(20, timedelta(minutes=1)))  # one every three seconds, a burst of two


async def test_a_budget_is_one_for_all_destinations_and_replicas(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    reads, writes = (
        ByHand(store, DestinationSpec(name, budget=BUDGET))
        for store, name in zip(stores, ("reads", "writes"), strict=True)
    )
    for n in range(5):
        await reads.schedule(f"r{n}")
        await writes.schedule(f"w{n}")
    assert len(await reads.claim()) == 2
    looked = await writes.look()
    assert (looked.deliveries, looked.look_again_at) == ([], clock.now() + 3 * SECOND)
    clock.advance(3 * SECOND)
    assert len(await writes.claim()) == 1
    assert await reads.claim() == []
    clock.advance(3 * SECOND)
    assert len(await reads.claim()) == 1


async def test_a_budget_is_kept_over_any_length_of_time(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, DestinationSpec("surveys", budget=BUDGET))
    for n in range(40):
        await hand.schedule(f"k{n}")
    made = 0
    for _ in range(120):
        claimed = await hand.claim()
        made += len(claimed)
        await hand.complete(*((delivery, Done()) for delivery in claimed))
        clock.advance(SECOND / 2)
    assert made == 20 + 1  # a minute's worth, and the burst beyond the first


async def test_a_clock_that_was_a_day_ahead_spends_no_budget_for_a_day(
    store: Store, clock: ManualClock
) -> None:
    hand = ByHand(store, DestinationSpec("surveys", budget=BUDGET))
    for n in range(9):
        await hand.schedule(f"k{n}")
    clock.advance(timedelta(days=1))
    ahead = await hand.claim()
    await hand.complete(*((delivery, Done()) for delivery in ahead))
    clock.advance(-timedelta(days=1))
    assert len(await hand.claim()) == 1
    clock.advance(3 * SECOND)
    assert len(await hand.claim()) == 1


async def test_a_row_that_costs_several_calls_spends_several(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, DestinationSpec("surveys", budget=Budget("zendesk", BUDGET.rate, cost=3)))
    for key in "ab":
        await hand.schedule(key)
    assert len(await hand.claim()) == 1
    assert (await hand.look()).look_again_at == clock.now() + 9 * SECOND


async def test_a_paused_destination_waits_as_a_whole_and_pays_no_attempt(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    one, other = (ByHand(store, DestinationSpec("salesforce", schedule=(SECOND,))) for store in stores)
    for key in "abc":
        await one.schedule(key)
    for _ in range(5):  # more often than the schedule has attempts
        (delivery,) = await one.claim(limit=1)
        assert delivery.attempts == 1
        quota = Snooze(timedelta(minutes=1), "quota")
        await one.complete((delivery, quota), signal=Signal(Sign.PAUSE, timedelta(minutes=1)))
        looked = await other.look()
        assert (looked.deliveries, looked.look_again_at) == ([], clock.now() + timedelta(minutes=1))
        clock.advance(timedelta(minutes=1))
    assert len(await other.claim()) == 1  # out to see; when it comes back well, the others follow


async def test_a_shorter_pause_does_not_end_a_longer_one(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, DestinationSpec("salesforce"))
    for key in "abc":
        await hand.schedule(key)
    long, short, last = await hand.claim()
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    await hand.complete((long, Snooze(hour, "quota")), signal=Signal(Sign.PAUSE, hour))
    await hand.complete((short, Snooze(minute, "login")), signal=Signal(Sign.PAUSE, minute))
    await hand.complete((last, Done()))
    await hand.schedule("d")
    clock.advance(hour - SECOND)
    assert await hand.claim() == []
    clock.advance(SECOND)
    assert len(await hand.claim()) == 1


async def test_who_may_run_further_ahead_goes_first_and_the_others_wait_for_the_pace(
    stores: tuple[Store, Store], clock: ManualClock
) -> None:
    shared = Rate(60, 60 * SECOND)  # one a second, a burst of six
    usual = ByHand(stores[0], DestinationSpec("lines", budget=Budget("posts", shared, ahead=6 * SECOND)))
    urgent = ByHand(stores[1], DestinationSpec("alarms", budget=Budget("posts", shared, ahead=30 * SECOND)))
    for number in range(40):
        await usual.schedule(f"line{number:02}")
        await urgent.schedule(f"alarm{number:02}")
    assert len(await usual.claim(limit=40)) == 6
    alarms = await urgent.claim(limit=40)
    assert len(alarms) == 24
    assert await usual.claim(limit=40) == []
    clock.advance(24 * SECOND)  # the pace has caught up with six posts ahead
    assert await usual.claim(limit=40) == []
    clock.advance(SECOND)
    assert len(await usual.claim(limit=40)) == 1


def test_nobody_may_run_further_ahead_than_the_time_of_the_rate() -> None:
    with pytest.raises(ValueError, match="longer than the time of its rate"):
        Budget("posts", Rate(1, SECOND), ahead=2 * SECOND)
