"""Random histories of a ticket: whoever must be told is told, once, at the right time, and nobody else is."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.unit.notifier.breaches.breach_world import World

CHANGES: dict[str, dict[str, Any]] = {
    "paused": {"stage": "paused"},
    "runs again": {"stage": "active"},
    "answered": {"stage": "achieved"},
    "withdrawn": {"breach_at": None},
    "pending": {"status": "pending"},
    "open": {"status": "open"},
    "solved": {"status": "solved"},
    "priority changed": {"tags": ("premium", "x")},
    "plan changed": {"tags": ("starter",)},
    "plan changed back": {"tags": ("premium",)},
    "merged": {"gone": "merged into another"},
}
OTHERS = ("target moved", "slack away", "slack back", "taken", "clock jumps")
WEIGHTS = {
    "paused": 5,
    "runs again": 5,
    "pending": 2,
    "open": 2,
    "target moved": 3,
    "slack away": 2,
    "slack back": 2,
}
KINDS = [kind for kind in (*CHANGES, *OTHERS) for _ in range(WEIGHTS.get(kind, 1))]
HINTS = st.sampled_from([None, timedelta(seconds=3), timedelta(seconds=40), timedelta(minutes=9)])
THEN = st.sampled_from([0, 1, 5, 20, 31, 61, 95, 130]).map(lambda n: timedelta(minutes=n))
HISTORIES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(-20, 200), HINTS, THEN), max_size=14)


def happen(world: World, kind: str, minutes: int, hint: timedelta | None) -> None:
    length = timedelta(minutes=minutes)
    if kind in CHANGES:
        world.change(hint, **CHANGES[kind])
    elif kind == "target moved":
        world.change(hint, stage="active", breach_at=world.now + length)
    elif kind == "taken":
        world.take(abs(length))
    elif kind == "clock jumps":
        world.jump(length)
    else:
        world.slack(kind == "slack back")


@settings(max_examples=examples(480), deadline=None)
@given(st.integers(-30, 260), HISTORIES)
def test_random_histories(first: int, history: list[tuple[str, int, timedelta | None, timedelta]]) -> None:
    world = World()
    world.change(timedelta(seconds=3), breach_at=world.now + timedelta(minutes=first))
    world.advance(timedelta(minutes=5))
    for kind, minutes, hint, then in history:
        happen(world, kind, minutes, hint)
        world.advance(then)


def test_an_untroubled_target_is_told_of_at_each_step_to_the_second() -> None:
    world = World()
    breach_at = world.now + timedelta(hours=3)
    world.change(timedelta(seconds=3), breach_at=breach_at)
    world.advance(timedelta(hours=4))
    assert [(each.step, each.at - breach_at) for each in world.posts] == [
        ("2h", timedelta(hours=-2)),
        ("30m", timedelta(minutes=-30)),
        ("breached", timedelta()),
    ]
