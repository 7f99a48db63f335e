"""The courier at work: real loops on a real database, a destination that does what the test wants."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from supportops.clock import ManualClock
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome, TryAgain
from supportops.delivery.claims import LEASE
from supportops.errors import DestinationPaused, Retryable
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from tests.support.engine import (
    SECOND,
    ByHand,
    FakeDestination,
    book_one,
    give_way,
    rows_of,
    running,
    state_of,
    store_on,
)
from tests.support.eventually import eventually

SPEC = DestinationSpec("slack", schedule=(SECOND / 50, SECOND / 50))


async def schedule(store: Store, *keys: str, lane: str | None = None) -> None:
    async with store.transaction() as tx:
        for key in keys:
            book_one(tx, "slack", key, lane=lane)


async def all_in(store: Store, state: str) -> bool:
    return all(row["state"] == state for row in (await rows_of(store)).values())


async def test_what_is_scheduled_is_called_and_done(live_store: Store, metrics: Metrics) -> None:
    slack = FakeDestination(SPEC, answer=lambda delivery: Done({"key": delivery.key}))
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, "a", "b")
        await eventually(lambda: all_in(live_store, "done"))
    assert sorted(slack.keys) == ["a", "b"]
    assert metrics.value("delivery_attempts", destination="slack", outcome="done") == 2


async def test_what_was_there_before_the_start_is_called_too(live_store: Store, metrics: Metrics) -> None:
    await schedule(live_store, "a")
    slack = FakeDestination(SPEC)
    async with running(Courier(live_store, [slack], metrics)):
        await eventually(lambda: slack.keys == ["a"])


async def test_what_follows_from_an_outcome_may_be_the_next_delivery(
    live_store: Store, metrics: Metrics
) -> None:
    def answer(delivery: Delivery) -> Outcome:
        def then(tx: Transaction) -> None:
            if len(delivery.key) < 4:
                book_one(tx, "slack", delivery.key + "a")

        return Done(then=then)

    slack = FakeDestination(SPEC, answer=answer)
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, "a")
        await eventually(lambda: slack.keys == ["a", "aa", "aaa", "aaaa"])


async def test_a_refused_call_is_tried_by_its_schedule_and_then_dead(
    live_store: Store, metrics: Metrics
) -> None:
    slack = FakeDestination(SPEC, answer=lambda _delivery: TryAgain(None, "an odd answer"))
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, "a")
        await eventually(lambda: all_in(live_store, "dead"))
    assert slack.keys == ["a", "a", "a"]
    assert [delivery.attempts for delivery in slack.deliveries] == [1, 2, 3]
    assert slack.asked == []
    assert metrics.value("deliveries_dead", destination="slack") == 1


async def test_a_bug_of_ours_is_asked_about_before_the_next_try(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    def broken(delivery: Delivery) -> Outcome:
        if delivery.attempts == 1:
            raise KeyError("missing")
        return Done()

    slack = FakeDestination(DestinationSpec("slack"), answer=broken)
    async with running(Courier(store, [slack], metrics)):
        await schedule(store, "a")
        await eventually(
            lambda: metrics.value("delivery_attempts", destination="slack", outcome="try_again") == 1
        )
        clock.advance(timedelta(minutes=1))
        await eventually(lambda: all_in(store, "done"))
    assert (slack.asked, slack.keys) == (["a"], ["a", "a"])


async def test_calls_at_once_are_bounded_and_used(live_store: Store, metrics: Metrics) -> None:
    go = asyncio.Event()

    async def wait(_delivery: Delivery) -> Outcome:
        await go.wait()
        return Done()

    slack = FakeDestination(DestinationSpec("slack", concurrency=3), answer=wait)
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, *(f"k{n}" for n in range(30)))
        await eventually(lambda: len(slack.flying) == 3)
        await schedule(live_store, "control")
        assert len(slack.keys) == 3
        go.set()
        await eventually(lambda: all_in(live_store, "done"))
    assert max(Counter(slack.keys).values()) == 1


async def test_a_full_batch_goes_at_once_and_the_rest_after_its_linger(
    live_store: Store, metrics: Metrics
) -> None:
    spec = DestinationSpec("slack", batch=4, linger=SECOND / 2, concurrency=1)
    slack = FakeDestination(spec)
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, "a", "b", "c")
        await schedule(live_store, "d")
        await eventually(lambda: len(slack.calls) == 1)
        await schedule(live_store, "e")
        await eventually(lambda: all_in(live_store, "done"))
    assert list(map(len, slack.calls)) == [4, 1]
    waited = [delivery.claimed_at - delivery.due_at for delivery in slack.deliveries]
    assert waited[4] >= SECOND / 2


async def test_lanes_run_beside_each_other_each_in_its_order(live_store: Store, metrics: Metrics) -> None:
    at_once: Counter[str] = Counter()

    async def check(delivery: Delivery) -> Outcome:
        at_once[delivery.lane] += 1
        assert at_once[delivery.lane] == 1
        await give_way()
        at_once[delivery.lane] -= 1
        return Done()

    slack = FakeDestination(SPEC, answer=check)
    async with running(Courier(live_store, [slack], metrics)):
        async with live_store.transaction() as tx:
            for n in range(60):
                book_one(tx, "slack", f"{n % 6}:{n:02}", lane=str(n % 6))
        await eventually(lambda: all_in(live_store, "done"))
    for lane in range(6):
        mine = [key for key in slack.keys if key.startswith(f"{lane}:")]
        assert mine == sorted(mine)
        assert len(mine) == 10


async def test_two_couriers_share_the_work_and_double_nothing(app_database: str, metrics: Metrics) -> None:
    flying: Counter[str] = Counter()

    async def check(delivery: Delivery) -> Outcome:
        flying[delivery.lane] += 1
        assert flying[delivery.lane] == 1
        await give_way()
        flying[delivery.lane] -= 1
        return Done()

    spec = DestinationSpec("slack", concurrency=2)
    one, other = (FakeDestination(spec, answer=check) for _ in range(2))
    async with store_on(app_database) as first, store_on(app_database) as second:
        async with first.transaction() as tx:
            for n in range(120):
                book_one(tx, "slack", f"k{n}", lane=str(n % 20))
        async with running(Courier(first, [one], metrics), Courier(second, [other], metrics)):
            await eventually(lambda: all_in(first, "done"), within=30)
    assert sorted(one.keys + other.keys) == sorted(f"k{n}" for n in range(120))
    assert one.keys
    assert other.keys


class TestCrashes:
    """A worker that dies in the middle of a call leaves doubt: the next one asks before it calls."""

    @pytest.fixture
    async def crashed(self, store: Store, clock: ManualClock, metrics: Metrics) -> None:
        """One delivery, "a", was in flight when its courier died; its lease is over."""

        async def hang(_delivery: Delivery) -> Outcome:
            await asyncio.Event().wait()
            return Done()

        slack = FakeDestination(DestinationSpec("slack"), answer=hang)
        worker = asyncio.create_task(Courier(store, [slack], metrics).run(asyncio.Event()))
        await schedule(store, "a")
        await eventually(lambda: slack.flying)
        worker.cancel()
        await asyncio.wait((worker,))
        assert await state_of(store, "a") == "leased"
        clock.advance(LEASE)

    @pytest.mark.usefixtures("crashed")
    async def test_what_happened_is_not_called_again(self, store: Store, metrics: Metrics) -> None:
        slack = FakeDestination(DestinationSpec("slack"), ask=lambda _: Done({"found": True}))
        async with running(Courier(store, [slack], metrics)):
            await eventually(lambda: all_in(store, "done"))
        assert (slack.asked, slack.keys) == (["a"], [])

    @pytest.mark.usefixtures("crashed")
    async def test_what_did_not_happen_is_called(self, store: Store, metrics: Metrics) -> None:
        slack = FakeDestination(DestinationSpec("slack"))
        async with running(Courier(store, [slack], metrics)):
            await eventually(lambda: all_in(store, "done"))
        assert (slack.asked, slack.keys) == (["a"], ["a"])

    @pytest.mark.usefixtures("crashed")
    async def test_doubt_lasts_until_it_could_be_asked(
        self, store: Store, clock: ManualClock, metrics: Metrics
    ) -> None:
        def ask(_delivery: Delivery) -> Outcome | None:
            if len(slack.asked) == 1:
                raise Retryable("the search is down")
            return Done() if len(slack.asked) > 2 else TryAgain(SECOND, "not sure yet", uncertain=True)

        slack = FakeDestination(DestinationSpec("slack"), ask=ask)
        async with running(Courier(store, [slack], metrics)):
            for asked in (1, 2, 3):
                await eventually(lambda asked=asked: len(slack.asked) == asked)  # type: ignore[misc]
                await eventually(lambda: no_lease(store))
                clock.advance(timedelta(minutes=1))
            await eventually(lambda: all_in(store, "done"))
        assert slack.keys == []


async def no_lease(store: Store) -> bool:
    return all(row["lease_until"] is None for row in (await rows_of(store)).values())


async def test_no_answer_in_time_is_asked_about(live_store: Store, metrics: Metrics) -> None:
    async def hang(_delivery: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Done()

    spec = DestinationSpec("slack", timeout=SECOND / 50, schedule=(SECOND / 50,))
    slack = FakeDestination(spec, answer=hang, ask=lambda _: Done())
    async with running(Courier(live_store, [slack], metrics)):
        await schedule(live_store, "a")
        await eventually(lambda: all_in(live_store, "done"))
    assert (slack.keys, slack.asked) == (["a"], ["a"])


async def test_a_slow_call_stays_ours_because_its_lease_is_renewed(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    go = asyncio.Event()

    async def wait(_delivery: Delivery) -> Outcome:
        await go.wait()
        return Done()

    slack = FakeDestination(DestinationSpec("slack"), answer=wait)
    replica = ByHand(store, slack.spec)
    async with running(Courier(store, [slack], metrics, renew_every=SECOND / 50)):
        await schedule(store, "a")
        await eventually(lambda: slack.flying)
        for _ in range(4):
            clock.advance(LEASE - SECOND)
            lease_until = clock.now() + LEASE
            await eventually(lambda until=lease_until: leased_until(store, "a", until))  # type: ignore[misc]
            assert await replica.claim() == []
        go.set()
        await eventually(lambda: all_in(store, "done"))
    assert slack.keys == ["a"]


async def leased_until(store: Store, key: str, moment: object) -> bool:
    return bool((await rows_of(store))[key]["lease_until"] == moment)


async def test_a_renewal_does_not_bring_a_rearmed_row_forward(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    async def hang(_delivery: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Done()

    slack = FakeDestination(DestinationSpec("slack"), answer=hang)
    hand = ByHand(store, slack.spec)
    worker = asyncio.create_task(
        Courier(store, [slack], metrics, renew_every=SECOND / 50).run(asyncio.Event())
    )
    await schedule(store, "a")
    await eventually(lambda: slack.flying)
    await hand.rearm("a", due_at=clock.now() + timedelta(hours=1))
    clock.advance(SECOND)
    await eventually(lambda: leased_until(store, "a", clock.now() + LEASE))
    worker.cancel()
    await asyncio.wait((worker,))
    clock.advance(LEASE)
    assert await hand.claim() == []


async def test_quota_trouble_pauses_the_destination_and_no_other(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    def answer(_delivery: Delivery) -> Outcome:
        if len(salesforce.keys) < 6:
            raise DestinationPaused("quota", after=timedelta(minutes=1))
        return Done()

    salesforce = FakeDestination(DestinationSpec("salesforce", schedule=(), concurrency=1), answer=answer)
    slack = FakeDestination(SPEC)
    async with running(Courier(store, [salesforce, slack], metrics)):
        async with store.transaction() as tx:
            book_one(tx, "salesforce", "k")
        for paused in range(1, 6):
            await eventually(lambda n=paused: paused_times(metrics) == n)  # type: ignore[misc]
            await schedule(store, f"control {paused}")
            await eventually(lambda n=paused: len(slack.keys) == n)  # type: ignore[misc]
            assert len(salesforce.keys) == paused
            clock.advance(timedelta(minutes=1))
        await eventually(lambda: all_in(store, "done"))
    assert [delivery.attempts for delivery in salesforce.deliveries] == [1] * 6


def paused_times(metrics: Metrics) -> float:
    return metrics.value("delivery_attempts", destination="salesforce", outcome="paused")
