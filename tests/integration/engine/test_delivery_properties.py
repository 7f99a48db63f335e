"""Random schedules, re-arms, cancels, claims, crashes, slow workers, late answers and clock jumps against a model.

Claims and final writes are driven by hand, so that every interleaving of whole transactions can occur. After each
step every row must be what the model says; hence nothing due and unblocked stays unclaimed, lanes are exclusive, and
an effect is repeated only where it was asked for or in doubt.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select

from supportops.delivery import (
    Cancel,
    Courier,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Snooze,
    TryAgain,
)
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from tests.support.delivery_model import Claimed, Kind, Model
from tests.support.engine import APP, SECOND, ByHand, rows_of
from tests.support.engine_app import tables
from tests.support.examples import examples
from tests.support.histories import HistoryWorld, databases_in_memory, play

SPEC = DestinationSpec("slack", schedule=(SECOND, SECOND, SECOND))
LANES = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b"}

delays = st.sampled_from([-60, 0, 0, 0, 1, 10, 3600]).map(lambda seconds: timedelta(seconds=seconds))
waits = st.sampled_from([0, 1, 20]).map(lambda seconds: timedelta(seconds=seconds))
jumps = st.sampled_from([15, 16, 60, 60, 3600, 14, 1, -10]).map(lambda seconds: timedelta(seconds=seconds))
intents = st.tuples(
    st.sampled_from(["schedule", "rearm", "rearm", "cancel", "cancel"]),
    st.sampled_from(sorted(LANES)),
    delays,
    st.sampled_from([0, 0, 1]),
)


@dataclass
class Flight:
    """A call that some worker makes: how far it is, and whether its effect is known to us."""

    delivery: Delivery
    happened: bool = False
    found: bool = False  # it had happened already: we asked

    @property
    def claimed(self) -> Claimed:
        d = self.delivery
        return Claimed(d.token, d.generation, d.attempts, d.uncertain)


class Deliveries(RuleBasedStateMachine):
    """The engine and the model take the same steps."""

    def __init__(self, world: HistoryWorld) -> None:
        super().__init__()
        self.world = world
        world.run(world.forget())
        self.hand = ByHand(world.store, SPEC)
        self.courier = Courier(world.store, [], Metrics())
        self.model = Model(len(SPEC.schedule))
        self.flights: list[Flight] = []
        self.unknown: Counter[str] = Counter()  # effects outside that no row of ours tells of
        self.recorded: Counter[str] = Counter()

    @initialize()
    def begin_with_work(self) -> None:
        """Something to be done in every lane, else most examples are about nothing."""
        self.world.run(self._change_intent([("schedule", key, timedelta(0), 0) for key in LANES]))

    # -- steps ----------------------------------------------------------------------------------------------------

    @rule(wanted=st.lists(intents, min_size=1, max_size=4))
    def change_intent(self, wanted: list[tuple[str, str, timedelta, int]]) -> None:
        self.world.run(self._change_intent(wanted))

    async def _change_intent(self, wanted: list[tuple[str, str, timedelta, int]]) -> None:
        async with self.world.store.transaction() as tx:
            for index, (kind, key, delay, priority) in enumerate(wanted):
                due = tx.now + delay + index * timedelta(milliseconds=1)
                if kind == "cancel":
                    tx.deliveries.cancel(SPEC.name, key)
                    self.model.cancel(key)
                    continue
                book = tx.deliveries.rearm if kind == "rearm" else tx.deliveries.schedule
                book(SPEC.name, key, lane=LANES[key], payload={}, due_at=due, priority=priority)
                reserve_survey = self.model.rearm if kind == "rearm" else self.model.schedule
                reserve_survey(key, LANES[key], due, priority)

    @rule(limit=st.sampled_from([100, 100, 2, 1]))
    def claim(self, limit: int) -> None:
        now = self.world.clock.now()
        could = self.model.claimable(now)
        taken = self.world.run(self.hand.claim(limit))
        keys = [delivery.key for delivery in taken]
        assert set(keys) <= set(could)
        assert len(keys) == min(limit, len(could))
        left = [self.model.since(key) for key in could if key not in keys]
        assert all(self.model.since(key) <= moment for key in keys for moment in left)
        for delivery in taken:
            self.model.claimed(delivery.key, delivery.token, now)
            self.flights.append(Flight(delivery))

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        """The outside world: an effect happens, unless we ask and hear that it did."""
        flight = data.draw(st.sampled_from(self.flights))
        key = flight.delivery.key
        if flight.happened or flight.found:
            return
        if flight.delivery.uncertain and self.unknown[key]:
            flight.found = True
            return
        if self.model.rows[key].token != flight.delivery.token:
            return  # the lease was lost before the call: the courier checks that
        assert not self.unknown[key], f"{key} happens again although nobody doubts"
        flight.happened = True
        self.unknown[key] += 1

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), after=waits)
    def answers_come_back(self, data: st.DataObject, after: timedelta) -> None:
        """Some calls end, in any order, late ones among them; they are written as one group."""
        some = data.draw(
            st.lists(st.sampled_from(self.flights), min_size=1, max_size=4, unique_by=id), label="flights"
        )
        pairs: list[tuple[Delivery, Outcome]] = []
        now = self.world.clock.now()
        for flight in some:
            ended = flight.happened or flight.found
            kind: Kind = data.draw(
                st.sampled_from(
                    ["done", "done", "doubt"] if ended else ["moot", "give_up", "again", "doubt", "free"]
                ),
                label="outcome",
            )
            key = flight.delivery.key
            pairs.append((flight.delivery, self._outcome(kind, key, after)))
            if self.model.ended(key, flight.claimed, kind, after, now) and kind == "done":
                self.unknown[key] -= 1
                self.recorded[key] += 1
            self.flights.remove(flight)
        self.world.run(self.hand.complete(*pairs))

    def _outcome(self, kind: Kind, key: str, after: timedelta) -> Outcome:
        if kind == "done":
            return Done(then=lambda tx: record(tx, key))
        if kind in ("moot", "give_up"):
            return Cancel("r") if kind == "moot" else Discard("r")
        if kind == "free":
            return Snooze(after, "r")
        return TryAgain(after, "r", uncertain=kind == "doubt")

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.flights.remove(data.draw(st.sampled_from(self.flights)))

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def a_worker_renews_its_leases(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.flights)).delivery.token
        self.world.run(self.courier._renew([token]))
        self.model.renewed(token, self.world.clock.now())

    @rule(by=jumps)
    def time_passes(self, by: timedelta) -> None:
        self.world.clock.advance(by)

    # -- what must hold after every step --------------------------------------------------------------------------

    @invariant()
    def every_row_is_what_the_model_says(self) -> None:
        rows = self.world.run(rows_of(self.world.store))
        assert rows.keys() == self.model.rows.keys()
        for key, row in self.model.rows.items():
            assert told(rows[key]) == (row.state, row.generation, row.due, row.lease), key
            if row.active:
                assert (rows[key]["next_attempt_at"], rows[key]["attempts"]) == (row.next_at, row.attempts), (
                    key
                )
            if row.active or row.state == "cancelled":
                assert rows[key]["uncertain"] == row.uncertain, key

    @invariant()
    def what_is_known_was_recorded_once(self) -> None:
        assert self.world.run(effects(self.world.store)) == {k: n for k, n in self.recorded.items() if n}


def told(row: Any) -> tuple[Any, ...]:
    return row["state"], row["generation"], row["due_at"], row["lease_until"]


async def record(tx: Transaction, key: str) -> None:
    """What follows from a done delivery: our own state tells of it."""
    rows = await tx.load(tables.effects, [(SPEC.name, key)])
    row = rows.get((SPEC.name, key))
    rows.put((SPEC.name, key), times=1 if row is None else row["times"] + 1)


async def effects(store: Store) -> dict[str, int]:
    async with store.reading() as conn:
        return {row.key: row.times for row in await conn.execute(select(tables.effects))}


@pytest.fixture
def world(dialect: str, request: pytest.FixtureRequest) -> Iterator[HistoryWorld]:
    with databases_in_memory() as in_memory:
        url = in_memory.new(APP) if dialect == "sqlite" else request.getfixturevalue("app_database")
        world = HistoryWorld(url, tables.metadata)
        yield world
        world.close()


EXAMPLES = {"sqlite": examples(50), "postgres": examples(8)}


@pytest.mark.timeout(300)
def test_deliveries_do_what_the_model_does(world: HistoryWorld, dialect: str) -> None:
    play(lambda: Deliveries(world), number=EXAMPLES[dialect], steps=25)
