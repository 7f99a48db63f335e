"""The survey clock: whatever the order in which facts arrive, the newest one decides."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csat.surveys.survey_clock import SAME_SOLVE, TicketState, Transition, reopened, same_solve, solved
from supportops.ticket_version import version_of
from tests.support.for_each import for_each

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Fact:
    """Something that happened to the ticket; `solved_at` is None for a reopening."""

    version: str
    solved_at: datetime | None


class Timers:
    """A simple picture of the deliveries: which solves are armed."""

    def __init__(self) -> None:
        self.state = TicketState()
        self.armed: set[datetime] = set()

    def take(self, fact: Fact) -> None:
        step: Transition | None
        if fact.solved_at is None:
            step = reopened(self.state, fact.version)
        else:
            step = solved(self.state, fact.version, fact.solved_at)
        if step is None:
            return
        self.state = step.state
        if step.cancel is not None:
            self.armed.remove(step.cancel)
        if step.arm is not None:
            self.armed.add(step.arm)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """What happened, in order: solves and reopenings, now and then a solve told again by another road."""
    facts: list[Fact] = []
    now = START
    for _ in range(draw(st.integers(1, 6))):
        now += timedelta(milliseconds=draw(st.integers(1, 20_000)))
        moment = now.replace(microsecond=0)
        facts.append(Fact(version_of(moment, now), moment))
        if draw(st.booleans()):  # the export tells it later, with its own idea of the moment
            now += timedelta(milliseconds=draw(st.integers(1, 600_000)))
            shift = timedelta(seconds=draw(st.integers(-5, 5)))
            facts.append(Fact(version_of(now.replace(microsecond=0), now), moment + shift))
        if draw(st.booleans()):
            now += timedelta(milliseconds=draw(st.integers(1, 20_000)))
            facts.append(Fact(version_of(now.replace(microsecond=0), now), None))
    return facts


@given(histories(), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_facts_end_like_the_true_order(
    history: list[Fact], shuffle: random.Random
) -> None:
    arrivals = history + shuffle.choices(history, k=len(history))
    shuffle.shuffle(arrivals)
    timers = Timers()
    for fact in arrivals:
        timers.take(fact)
    last = max(history, key=lambda fact: fact.version)
    if last.solved_at is None:
        assert timers.armed == set()
    else:
        assert len(timers.armed) == 1
        assert abs(timers.armed.pop() - last.solved_at) <= SAME_SOLVE


@given(histories())
def test_a_second_telling_of_any_fact_changes_nothing(history: list[Fact]) -> None:
    timers = Timers()
    for fact in history:
        timers.take(fact)
        before = (timers.state, set(timers.armed))
        timers.take(fact)
        assert (timers.state, timers.armed) == before


def test_a_reopening_that_arrives_first_keeps_the_older_solve_from_arming() -> None:
    state = reopened(TicketState(), version_of(START + timedelta(hours=1)))
    assert state is not None
    assert solved(state.state, version_of(START), START) is None


def test_solved_again_is_a_new_clock() -> None:
    again = START + timedelta(hours=2)
    first = TicketState("solved", version_of(START), START)
    off = reopened(first, version_of(START + timedelta(hours=1)))
    assert off is not None
    assert off.cancel == START
    assert solved(off.state, version_of(again), again) == Transition(
        TicketState("solved", version_of(again), again), arm=again
    )


def test_solved_again_without_a_seen_reopening_moves_the_clock() -> None:
    again = START + timedelta(hours=2)
    step = solved(TicketState("solved", version_of(START), START), version_of(again), again)
    assert step == Transition(TicketState("solved", version_of(again), again), arm=again, cancel=START)


def test_another_road_tells_the_same_solve_and_the_clock_runs_on() -> None:
    later = version_of(START + timedelta(minutes=5))
    told = solved(TicketState("solved", version_of(START), START), later, START + timedelta(seconds=5))
    assert told == Transition(TicketState("solved", later, START))


@for_each("seconds, same", [(0, True), (5, True), (-5, True), (6, False), (-6, False)])
def test_five_seconds_are_the_same_solve(seconds: int, same: bool) -> None:
    assert same_solve(START, START + timedelta(seconds=seconds)) is same
