"""Which deliveries may be started: heads of lanes, due, not in flight, within what is declared."""

from datetime import datetime, timedelta

import pytest

from supportops.clock import ManualClock
from supportops.delivery import Delivery, DestinationSpec, Done, Snooze, TryAgain
from supportops.delivery.claims import LEASE
from supportops.delivery.completer import Completer
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import SECOND, ByHand, rows_of

MINUTE = timedelta(minutes=1)
DEEP = 600


@pytest.fixture
def hand(store: Store) -> ByHand:
    return ByHand(store, DestinationSpec("slack"))


def keys(deliveries: list[Delivery]) -> list[str]:
    return [delivery.key for delivery in deliveries]


async def test_a_row_is_claimed_once_with_all_it_says(hand: ByHand, clock: ManualClock) -> None:
    due = clock.now() - 3 * SECOND
    await hand.schedule("k", lane="l", payload={"text": "Ünïcode \u0000"}, due_at=due)
    claimed = await hand.take()
    assert (claimed.destination, claimed.lane, claimed.key, claimed.payload) == (
        "slack",
        "l",
        "k",
        {"text": "Ünïcode \u0000"},
    )
    assert (claimed.attempts, claimed.generation, claimed.uncertain) == (1, 1, False)
    assert (claimed.due_at, claimed.claimed_at) == (due, clock.now())
    assert await hand.claim() == []


async def test_only_the_head_of_a_lane_is_claimed(hand: ByHand, clock: ManualClock) -> None:
    for key, lane, age in (("a2", "a", 1), ("a1", "a", 2), ("b1", "b", 3)):
        await hand.schedule(key, lane=lane, due_at=clock.now() - age * SECOND)
    first = await hand.claim()
    assert keys(first) == ["b1", "a1"]
    await hand.complete(*((delivery, Done()) for delivery in first))
    assert keys(await hand.claim()) == ["a2"]


async def test_rows_of_one_transaction_go_in_the_order_of_its_calls(hand: ByHand, store: Store) -> None:
    async with store.transaction() as tx:
        for key in ("first", "second", "third"):
            tx.deliveries.schedule("slack", key, lane="l", payload={})
    seen = []
    for _ in range(3):
        delivery = await hand.take()
        seen.append(delivery.key)
        await hand.complete((delivery, Done()))
    assert seen == ["first", "second", "third"]


async def test_back_off_keeps_the_head_and_blocks_its_lane_only(hand: ByHand, clock: ManualClock) -> None:
    await hand.schedule("a1", lane="a")
    await hand.schedule("a2", lane="a")
    await hand.complete((await hand.take(), TryAgain(MINUTE, "429")))
    await hand.schedule("b1", lane="b")
    other = await hand.take()
    assert other.key == "b1"
    await hand.complete((other, Done()))
    clock.advance(MINUTE - SECOND)
    assert await hand.claim() == []
    clock.advance(SECOND)
    again = await hand.take()
    assert (again.key, again.attempts) == ("a1", 2)


async def test_a_future_row_blocks_nobody_and_joins_its_lane_when_due(
    hand: ByHand, clock: ManualClock
) -> None:
    await hand.schedule("tomorrow", lane="l", due_at=clock.now() + timedelta(days=1), priority=5)
    await hand.schedule("now", lane="l")
    delivery = await hand.take()
    assert delivery.key == "now"
    clock.advance(timedelta(days=1) - SECOND)
    await hand.complete((delivery, TryAgain(timedelta(hours=1), "later")))
    assert await hand.claim() == []
    clock.advance(SECOND)
    assert keys(await hand.claim()) == ["tomorrow"]


async def test_a_lane_runs_one_at_a_time_even_when_a_lower_position_comes_in_flight(
    hand: ByHand, clock: ManualClock
) -> None:
    await hand.schedule("later", lane="l")
    flying = await hand.take()
    await hand.schedule("urgent", lane="l", priority=1)
    await hand.schedule("earlier", lane="l", due_at=clock.now() - MINUTE)
    assert await hand.claim() == []
    await hand.complete((flying, Done()))
    assert keys(await hand.claim()) == ["urgent"]


async def test_a_higher_priority_passes_the_queue_of_its_lane(hand: ByHand, clock: ManualClock) -> None:
    for age in range(3, 0, -1):
        await hand.schedule(f"line {age}", lane="l", due_at=clock.now() - age * SECOND)
    await hand.schedule("breach", lane="l", priority=1)
    assert keys(await hand.claim()) == ["breach"]


async def test_destinations_do_not_share_lanes(hand: ByHand, store: Store) -> None:
    other = ByHand(store, DestinationSpec("salesforce"))
    await hand.schedule("k", lane="l")
    await other.schedule("k", lane="l")
    assert keys(await hand.claim()) == ["k"]
    assert keys(await other.claim()) == ["k"]


async def test_a_lease_that_ran_out_frees_the_row_as_uncertain(hand: ByHand, clock: ManualClock) -> None:
    await hand.schedule("k", lane="l")
    await hand.schedule("next", lane="l")
    first = await hand.take()
    clock.advance(LEASE - SECOND)
    assert await hand.claim() == []
    clock.advance(SECOND)
    again = await hand.take()
    assert (again.key, again.attempts, again.uncertain) == ("k", 2, True)
    assert again.token != first.token


async def test_limit_bounds_a_claim_and_the_oldest_go_first(hand: ByHand, clock: ManualClock) -> None:
    for n in range(5):
        await hand.schedule(f"k{n}", due_at=clock.now() - n * SECOND)
    assert keys(await hand.claim(2)) == ["k4", "k3"]
    assert keys(await hand.claim(9)) == ["k2", "k1", "k0"]


class TestBatches:
    """A destination that takes many rows per call waits a little for company."""

    @pytest.fixture
    def hand(self, store: Store) -> ByHand:
        return ByHand(store, DestinationSpec("salesforce", batch=3, linger=SECOND))

    async def test_a_partial_batch_waits_for_its_linger(self, hand: ByHand, clock: ManualClock) -> None:
        await hand.schedule("a")
        looked = await hand.look()
        assert (looked.deliveries, looked.look_again_at) == ([], clock.now() + SECOND)
        clock.advance(SECOND / 2)
        await hand.schedule("b")
        assert (await hand.look()).look_again_at == clock.now() + SECOND / 2
        clock.advance(SECOND / 2)
        assert keys(await hand.claim()) == ["a", "b"]

    async def test_a_full_batch_goes_at_once(self, hand: ByHand) -> None:
        for key in "abc":
            await hand.schedule(key)
        assert keys(await hand.claim()) == ["a", "b", "c"]

    async def test_a_batch_holds_one_row_per_lane(self, hand: ByHand, clock: ManualClock) -> None:
        for key in "abc":
            await hand.schedule(key, lane="same")
        await hand.schedule("other")
        clock.advance(SECOND)
        assert sorted(keys(await hand.claim())) == ["a", "other"]


class TestScheduleRearmCancel:
    """Intent by key, inside the transaction that has a reason for it."""

    async def test_schedule_leaves_an_existing_key_alone_in_whatever_state(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k", payload={"n": 1}, due_at=clock.now() + MINUTE)
        await hand.schedule("k", payload={"n": 2})
        assert await hand.claim() == []
        clock.advance(MINUTE)
        delivery = await hand.take()
        await hand.schedule("k")
        assert delivery.payload == {"n": 1}
        await hand.complete((delivery, Done()))
        await hand.schedule("k")
        await hand.cancel("k")
        assert (await rows_of(hand.store))["k"]["state"] == "done"
        assert await hand.claim() == []

    async def test_rearm_of_a_waiting_row_takes_the_new_time_lane_and_payload(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k", lane="old", payload={"n": 1}, due_at=clock.now() + MINUTE)
        await hand.rearm("k", lane="new", payload={"n": 2}, due_at=clock.now() + 2 * MINUTE)
        clock.advance(MINUTE)
        assert await hand.claim() == []
        clock.advance(MINUTE)
        delivery = await hand.take()
        assert (delivery.lane, delivery.payload, delivery.generation) == ("new", {"n": 2}, 2)

    async def test_rearm_ends_a_back_off_and_counts_attempts_anew(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        await hand.complete((await hand.take(), TryAgain(MINUTE, "503")))
        await hand.rearm("k")
        assert (await hand.take()).attempts == 1

    async def test_rearm_inserts_a_new_key_and_revives_a_cancelled_one(self, hand: ByHand) -> None:
        await hand.rearm("k")
        await hand.cancel("k")
        assert await hand.claim() == []
        await hand.rearm("k")
        assert (await hand.take()).generation == 3

    @pytest.mark.parametrize("state", ["done", "dead"])
    async def test_rearm_and_cancel_leave_a_finished_row_as_it_is(self, hand: ByHand, state: str) -> None:
        await hand.schedule("k")
        delivery = await hand.take()
        spent = DestinationSpec("slack", schedule=())
        hand.spec = spent
        await hand.complete((delivery, Done() if state == "done" else TryAgain(None, "503")))
        before = await rows_of(hand.store)
        await hand.rearm("k")
        await hand.cancel("k")
        assert before["k"]["state"] == state
        assert await rows_of(hand.store) == before

    async def test_cancel_of_nothing_is_no_error(self, hand: ByHand) -> None:
        await hand.cancel("never heard of")
        assert await rows_of(hand.store) == {}

    async def test_calls_of_one_transaction_for_one_key_keep_their_order(
        self, hand: ByHand, store: Store
    ) -> None:
        async with store.transaction() as tx:
            book = tx.deliveries
            book.schedule("slack", "ends", lane="a", payload={})
            book.cancel("slack", "ends")
            book.cancel("slack", "lives")
            book.rearm("slack", "lives", lane="b", payload={"n": 1})
            book.rearm("slack", "lives", lane="b", payload={"n": 2})
        assert [(d.key, d.payload) for d in await hand.claim()] == [("lives", {"n": 2})]

    async def test_a_rollback_takes_intent_back(self, hand: ByHand, store: Store) -> None:
        async def change_its_mind() -> None:
            async with store.transaction() as tx:
                tx.deliveries.schedule("slack", "k", lane="l", payload={})
                await tx.flush()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await change_its_mind()
        assert await rows_of(store) == {}


class TestIntentDuringFlight:
    """What comes while a call runs: lanes stay exclusive, nothing is called before its time, doubt is kept."""

    async def test_a_cancelled_call_still_holds_its_lane(self, hand: ByHand) -> None:
        await hand.schedule("k", lane="l")
        await hand.schedule("next", lane="l")
        flying = await hand.take()
        await hand.cancel("k")
        assert await hand.claim() == []
        await hand.complete((flying, Done()))
        assert keys(await hand.claim()) == ["next"]

    async def test_a_cancelled_call_of_a_dead_worker_holds_its_lane_until_the_lease_ends(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k", lane="l")
        await hand.schedule("next", lane="l")
        await hand.take()
        await hand.cancel("k")
        clock.advance(LEASE)
        assert keys(await hand.claim()) == ["next"]

    async def test_cancelled_and_rearmed_in_flight_is_not_called_beside_itself(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        await hand.take()
        await hand.cancel("k")
        await hand.rearm("k")
        assert await hand.claim() == []
        clock.advance(LEASE)
        assert (await hand.take()).uncertain  # the worker died: its call may have happened

    async def test_rearmed_into_the_future_in_flight_is_not_called_early_when_the_worker_dies(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        await hand.take()
        await hand.rearm("k", due_at=clock.now() + MINUTE)
        clock.advance(LEASE)
        assert await hand.claim() == []
        clock.advance(MINUTE - LEASE)
        assert (await hand.take()).uncertain

    async def test_a_lane_changed_by_rearm_in_flight_holds_the_call_back(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k", lane="old")
        await hand.take()
        await hand.rearm("k", lane="new")
        assert await hand.claim() == []

    async def test_uncertainty_outlives_cancel_and_rearm(self, hand: ByHand, clock: ManualClock) -> None:
        await hand.schedule("k")
        await hand.complete((await hand.take(), TryAgain(MINUTE, "no answer", uncertain=True)))
        await hand.cancel("k")
        await hand.rearm("k")
        assert (await hand.take()).uncertain


async def _deep_lane(hand: ByHand, clock: ManualClock) -> None:
    """A lane with many due rows, and a young row of another lane behind them."""
    long_ago = clock.now() - MINUTE
    async with hand.store.transaction() as tx:
        for n in range(DEEP):
            tx.deliveries.schedule("slack", f"deep{n}", lane="deep", payload={}, due_at=long_ago)
    await hand.schedule("young", lane="other")


async def test_a_deep_lane_hides_no_other(hand: ByHand, clock: ManualClock) -> None:
    await _deep_lane(hand, clock)
    assert keys(await hand.claim()) == ["deep0", "young"]


async def test_a_deep_lane_whose_head_waits_hides_no_other(hand: ByHand, clock: ManualClock) -> None:
    await _deep_lane(hand, clock)
    head, young = await hand.claim()
    await hand.complete((head, TryAgain(MINUTE, "later")), (young, Snooze(timedelta(0), "now")))
    assert keys(await hand.claim()) == ["young"]


async def test_a_claim_says_whether_there_was_more_than_its_limit(hand: ByHand) -> None:
    for key in "abc":
        await hand.schedule(key)
    assert (await hand.look(limit=2)).more
    assert not (await hand.look(limit=2)).more


async def test_the_end_of_a_call_says_when_its_lane_is_worth_a_claim(
    hand: ByHand, clock: ManualClock
) -> None:
    heard: list[dict[str, datetime]] = []
    hand.completer = Completer(hand.store, Metrics(), on_waiting=heard.append)
    await hand.schedule("a1", lane="a")
    await hand.schedule("a2", lane="a", due_at=clock.now() - SECOND)
    await hand.complete((await hand.take(), Done()))
    await hand.complete((await hand.take(), TryAgain(MINUTE, "503")))
    assert heard == [{"slack": clock.now()}, {"slack": clock.now() + MINUTE}]
