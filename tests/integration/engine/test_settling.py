"""What is written when a call has ended: state, history and all that follows, together or not at all."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, event, insert, select

from supportops.clock import ManualClock
from supportops.delivery import Cancel, DestinationSpec, Discard, Done, Outcome, Snooze, TryAgain
from supportops.delivery.claims import LEASE
from supportops.delivery.final_write import HISTORY, Completed
from supportops.delivery.outages.breaker import BUG_ROWS
from supportops.delivery.outages.rows import breaker_of
from supportops.delivery.signs import Sign
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE
from tests.support.engine import NOW, SECOND, ByHand, book_one, rows_of, solved
from tests.support.engine_app import tables

MINUTE = timedelta(minutes=1)
SPEC = DestinationSpec("slack", schedule=(SECOND, MINUTE))


@pytest.fixture
def hand(store: Store) -> ByHand:
    return ByHand(store, SPEC)


def remember(key: str) -> Any:
    """A `then` that counts how often a key was recorded, and promises an event."""

    async def then(tx: Transaction) -> None:
        rows = await tx.load(tables.effects, [("slack", key)])
        row = rows.get(("slack", key))
        rows.put(("slack", key), times=1 if row is None else row["times"] + 1)
        tx.publish(solved(1))

    return then


async def recorded(store: Store) -> dict[str, int]:
    """How often each key was recorded, and a check that as many events were promised."""
    async with store.reading() as conn:
        effects = {row.key: row.times for row in await conn.execute(select(tables.effects))}
        promised = (await conn.execute(select(ENGINE.outbox.c.id))).all()
    assert len(promised) == sum(effects.values())
    return effects


@pytest.mark.parametrize(
    ("outcome", "state", "kept"),
    [
        (Done({"ts": "1.2"}), "done", {"kind": "done", "result": {"ts": "1.2"}}),
        (Cancel("closed"), "done", {"kind": "moot", "reason": "closed"}),
        (Discard("no such channel"), "dead", {"kind": "give_up", "reason": "no such channel"}),
    ],
)
async def test_an_end_is_kept_with_its_reason(
    hand: ByHand, clock: ManualClock, outcome: Outcome, state: str, kept: dict[str, Any]
) -> None:
    await hand.schedule("k")
    delivery = await hand.take()
    clock.advance(SECOND)
    await hand.complete((delivery, outcome))
    row = (await rows_of(hand.store))["k"]
    assert (row["state"], row["finished_at"]) == (state, clock.now())
    assert (row["token"], row["lease_until"]) == (None, None)
    assert orjson.loads(row["outcome"]) == kept
    assert await hand.claim() == []


@pytest.mark.parametrize("outcome", [Done, Cancel, Discard])
async def test_what_follows_is_written_with_the_row(hand: ByHand, outcome: Any) -> None:
    await hand.schedule("k")
    arguments = {} if outcome is Done else {"reason": "r"}
    await hand.complete((await hand.take(), outcome(then=remember("k"), **arguments)))
    assert await recorded(hand.store) == {"k": 1}


async def test_a_plain_function_may_follow_too(hand: ByHand) -> None:
    def then(tx: Transaction) -> None:
        tx.deliveries.schedule("slack", "k2", lane="l", payload={})

    await hand.schedule("k")
    await hand.complete((await hand.take(), Done(then=then)))
    assert (await hand.take()).key == "k2"


async def test_the_schedule_is_walked_to_its_end_and_then_the_row_is_dead(
    hand: ByHand, clock: ManualClock
) -> None:
    await hand.schedule("k")
    await hand.schedule("next", lane="k")
    for wait in (SECOND, MINUTE):
        await hand.complete((await hand.take(), TryAgain(None, "503")))
        clock.advance(wait - timedelta(milliseconds=1))
        assert await hand.claim() == []
        clock.advance(wait / 4)
    await hand.complete((await hand.take(), TryAgain(None, "503")))
    row = (await rows_of(hand.store))["k"]
    assert row["state"] == "dead"
    assert orjson.loads(row["outcome"])["reason"] == "gave up after 3 attempts: 503"
    assert [entry["attempt"] for entry in orjson.loads(row["history"])] == [1, 2, 3]
    assert (await hand.take()).key == "next"


async def test_history_is_bounded(hand: ByHand, clock: ManualClock) -> None:
    await hand.schedule("k")
    for _ in range(HISTORY + 3):
        await hand.complete((await hand.take(), Snooze(SECOND, "x" * 900)))
        clock.advance(SECOND)
    row = (await rows_of(hand.store))["k"]
    assert len(orjson.loads(row["history"])) == HISTORY
    assert len(row["history"]) < HISTORY * 700


class TestNewerIntent:
    """The final write names token and generation: neither slow worker nor late answer overwrites newer intent."""

    async def test_a_worker_whose_lease_ran_out_cannot_overwrite(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        slow = await hand.take()
        clock.advance(LEASE)
        again = await hand.take()
        await hand.complete((slow, Done({"by": "slow"}, then=remember("k"))))
        row = (await rows_of(hand.store))["k"]
        assert (row["state"], row["token"]) == ("leased", again.token)
        assert await recorded(hand.store) == {}
        await hand.complete((again, Done({"by": "again"}, then=remember("k"))))
        row = (await rows_of(hand.store))["k"]
        assert orjson.loads(row["outcome"])["result"] == {"by": "again"}
        assert await recorded(hand.store) == {"k": 1}

    async def test_a_late_answer_after_the_end_changes_nothing(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        slow = await hand.take()
        clock.advance(LEASE)
        await hand.complete((await hand.take(), Done()))
        before = await rows_of(hand.store)
        await hand.complete((slow, Discard("late", then=remember("k"))))
        assert await rows_of(hand.store) == before
        assert await recorded(hand.store) == {}

    async def test_a_lease_that_ran_out_unnoticed_is_still_ours(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        await hand.schedule("k")
        slow = await hand.take()
        clock.advance(2 * LEASE)
        await hand.complete((slow, Done(then=remember("k"))))
        assert (await rows_of(hand.store))["k"]["state"] == "done"
        assert await recorded(hand.store) == {"k": 1}

    @pytest.mark.parametrize("late_first", [True, False])
    async def test_a_late_answer_does_not_push_out_the_right_one_of_its_group(
        self, hand: ByHand, clock: ManualClock, late_first: bool
    ) -> None:
        await hand.schedule("k")
        slow = await hand.take()
        clock.advance(LEASE)
        again = await hand.take()
        group: list[tuple[Any, Outcome]] = [(slow, Discard("late")), (again, Done(then=remember("k")))]
        await hand.complete(*(group if late_first else reversed(group)))
        assert (await rows_of(hand.store))["k"]["state"] == "done"
        assert await recorded(hand.store) == {"k": 1}

    @pytest.mark.parametrize("outcome", [Done(then=remember("k")), Discard("400", then=remember("k"))])
    async def test_cancelled_in_flight_stays_cancelled_and_what_happened_is_recorded(
        self, hand: ByHand, outcome: Outcome
    ) -> None:
        await hand.schedule("k")
        flying = await hand.take()
        await hand.cancel("k")
        await hand.complete((flying, outcome))
        assert (await rows_of(hand.store))["k"]["state"] == "cancelled"
        assert await recorded(hand.store) == {"k": 1}
        assert await hand.claim() == []

    async def test_cancelled_in_flight_is_not_tried_again(self, hand: ByHand, clock: ManualClock) -> None:
        await hand.schedule("k")
        flying = await hand.take()
        await hand.cancel("k")
        await hand.complete((flying, TryAgain(SECOND, "503")))
        clock.advance(MINUTE)
        assert await hand.claim() == []
        assert (await rows_of(hand.store))["k"]["state"] == "cancelled"

    @pytest.mark.parametrize("outcome", [Done(then=remember("k")), Cancel("m", then=remember("k"))])
    async def test_rearmed_in_flight_runs_again_at_the_new_time_and_what_happened_is_recorded(
        self, hand: ByHand, clock: ManualClock, outcome: Outcome
    ) -> None:
        await hand.schedule("k", payload={"n": 1})
        flying = await hand.take()
        await hand.rearm("k", payload={"n": 2}, due_at=clock.now() + MINUTE)
        await hand.complete((flying, outcome))
        assert await recorded(hand.store) == {"k": 1}
        clock.advance(MINUTE - SECOND)
        assert await hand.claim() == []
        clock.advance(SECOND)
        again = await hand.take()
        assert (again.payload, again.generation, again.attempts, again.uncertain) == ({"n": 2}, 2, 1, False)

    async def test_rearmed_during_the_last_attempt_of_its_schedule_starts_anew(
        self, hand: ByHand, clock: ManualClock
    ) -> None:
        hand.spec = DestinationSpec("slack", schedule=())
        await hand.schedule("k")
        flying = await hand.take()
        await hand.rearm("k")
        await hand.complete((flying, TryAgain(None, "503")))
        assert (await hand.take()).attempts == 1

    @pytest.mark.parametrize(
        "outcome", [TryAgain(None, "no answer", uncertain=True), Snooze(MINUTE, "quota")]
    )
    async def test_doubt_outlives_a_rearm_in_flight(
        self, hand: ByHand, clock: ManualClock, outcome: TryAgain
    ) -> None:
        await hand.schedule("k")
        await hand.take()
        clock.advance(LEASE)
        flying = await hand.take()  # the first worker died: uncertain
        await hand.rearm("k")
        await hand.complete((flying, outcome))
        assert (await hand.take()).uncertain


class TestGroups:
    """Many rows in one transaction; a bug in one does not hurt the others."""

    async def test_a_bug_in_what_follows_of_one_row_leaves_the_others_whole(self, hand: ByHand) -> None:
        def broken(tx: Transaction) -> None:
            tx.publish(solved(1))
            raise KeyError("a bug of ours")

        for key in ("good", "bad", "fine"):
            await hand.schedule(key)
        claimed = {delivery.key: delivery for delivery in await hand.claim()}
        outcomes = {
            "good": Done(then=remember("good")),
            "bad": Done(then=broken),
            "fine": Done(then=remember("fine")),
        }
        await through_the_queue(hand, [(claimed[key], outcome) for key, outcome in outcomes.items()])
        rows = await rows_of(hand.store)
        assert {key: row["state"] for key, row in rows.items()} == {
            "good": "done",
            "bad": "waiting",
            "fine": "done",
        }
        assert rows["bad"]["uncertain"]  # it happened outside: the next attempt asks
        assert await recorded(hand.store) == {"good": 1, "fine": 1}

    async def test_a_row_of_a_key_that_two_outcomes_insert_is_settled_one_by_one(self, hand: ByHand) -> None:
        """Both insert the same row of ours: the database refuses the group, not the work."""

        def insert_same(tx: Transaction) -> None:
            tx.write(SAME_TICKET, ticket_id="same")

        for key in "ab":
            await hand.schedule(key)
        claimed = await hand.claim()
        await through_the_queue(hand, [(delivery, Done(then=insert_same)) for delivery in claimed])
        states = sorted(row["state"] for row in (await rows_of(hand.store)).values())
        assert states == ["done", "waiting"]

    async def test_an_unwritable_result_is_a_bug_of_its_row_only(self, hand: ByHand) -> None:
        for key in "ab":
            await hand.schedule(key)
        one, other = await hand.claim()
        await through_the_queue(hand, [(one, Done({"text": "\ud800"})), (other, Done())])
        rows = await rows_of(hand.store)
        assert (rows[one.key]["state"], rows[other.key]["state"]) == ("waiting", "done")


async def test_a_bug_in_what_follows_of_row_after_row_stops_the_destination(hand: ByHand) -> None:
    """Else call after call would be made outside, and none be written down."""

    def broken(_tx: Transaction) -> None:
        raise KeyError("a bug of ours")

    for number in range(BUG_ROWS):
        await hand.schedule(f"k{number}")
    claimed = await hand.claim()
    await through_the_queue(hand, [(each, Done(then=broken)) for each in claimed[1:]])
    assert not (await breaker_of(hand.store, "slack")).is_open
    await through_the_queue(hand, [(claimed[0], Done(then=broken))])
    breaker = await breaker_of(hand.store, "slack")
    assert (breaker.is_open, breaker.cause) == (True, Sign.BUG)
    assert all(row["uncertain"] for row in (await rows_of(hand.store)).values())


SAME_TICKET = insert(tables.tickets).values(solves=0)


async def through_the_queue(hand: ByHand, pairs: list[tuple[Any, Outcome]]) -> None:
    """As the courier does it: handed in together, written by the settler's loop."""
    writing = asyncio.create_task(hand.completer.run())
    now = hand.store.clock.now()
    async with asyncio.timeout(20):
        await hand.completer.complete([Completed(d, outcome, hand.spec, now, NOW) for d, outcome in pairs])
    writing.cancel()


async def test_an_attempt_is_told_once_even_when_it_is_written_twice(store: Store, metrics: Metrics) -> None:
    hand = ByHand(store, SPEC, metrics)

    def broken(_tx: Transaction) -> None:
        raise KeyError("a bug of ours")

    for key in ("good", "bad"):
        await hand.schedule(key)
    claimed = {delivery.key: delivery for delivery in await hand.claim()}
    await through_the_queue(hand, [(claimed["good"], Done()), (claimed["bad"], Done(then=broken))])
    assert metrics.value("delivery_attempts", destination="slack", outcome="done") == 1
    assert metrics.value("delivery_attempts", destination="slack", outcome="try_again") == 1
    assert metrics.value("delivery_attempt_seconds", destination="slack") == 2


async def test_what_outcomes_announce_to_read_is_read_at_once(hand: ByHand) -> None:
    for key in "abc":
        await hand.schedule(key)
    claimed = await hand.claim()
    with statements() as texts:
        await hand.complete(
            *((d, Done(then=remember(d.key), reads=((tables.effects, ("slack", d.key)),))) for d in claimed)
        )
    assert len([text for text in texts if text.startswith("SELECT effects")]) == 1


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that this process runs."""
    texts: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        texts.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield texts
    event.remove(Engine, "before_cursor_execute", note)


class TestDoubtIsHandedOn:
    """The database was put back: what follows from a delivery that may have happened may have happened as well."""

    async def test_what_follows_is_asked_about(self, store: Store, clock: ManualClock) -> None:
        """Through a step that is simply made again, however many attempts that takes."""
        first = ByHand(store, DestinationSpec("routing", schedule=(SECOND,), idempotent=True))
        async with store.transaction() as tx:
            tx.deliveries.uncertain = True
            book_one(tx, "routing", "read again")
        await first.complete((await first.take(), TryAgain(None, "503")))
        clock.advance(MINUTE)
        await first.complete((await first.take(), Done({}, then=lambda tx: book_one(tx, "slack", "follows"))))
        assert (await ByHand(store, SPEC).take()).uncertain

    async def test_a_call_whose_end_nobody_knows_has_led_to_nothing(
        self, store: Store, clock: ManualClock
    ) -> None:
        """What follows is written with the end, so that a worker's death leaves nothing to ask about."""
        first = ByHand(store, DestinationSpec("routing", idempotent=True))
        await first.schedule("k")
        await first.take()
        clock.advance(LEASE)
        await first.complete((await first.take(), Done({}, then=lambda tx: book_one(tx, "slack", "follows"))))
        assert not (await ByHand(store, SPEC).take()).uncertain

    async def test_a_neighbour_hands_on_nothing(self, store: Store) -> None:
        hand = ByHand(store, SPEC)
        async with store.transaction() as tx:
            tx.deliveries.uncertain = True
            book_one(tx, "slack", "in doubt")
        await hand.schedule("sure")
        await hand.complete(
            *(
                (each, Done({}, then=partial(book_one, destination="next", key=f"after {each.key}")))
                for each in await hand.claim()
            )
        )
        following = await ByHand(store, DestinationSpec("next")).claim()
        assert {each.key: each.uncertain for each in following} == {
            "after in doubt": True,
            "after sure": False,
        }
