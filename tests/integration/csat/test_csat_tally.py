"""The tally holds what plain loops over the facts find, whatever happened in between, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csat import tables
from csat.kpi import ticket_facts
from csat.kpi.aggregation import count, tally_batch
from csat.kpi.filters import DIMENSIONS, View
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat.assertions import assert_equals_naive, forget_all, note, rows_of, tallied
from tests.support.engine import store_on
from tests.support.examples import examples

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 1, 26)  # a Monday; the next month begins on a Sunday
ALL = View(FIRST, FIRST + timedelta(days=25))
MOMENTS = st.builds(
    lambda day, hour: (
        datetime(FIRST.year, FIRST.month, FIRST.day, hour, 30, tzinfo=UTC) + timedelta(days=day)
    ),
    st.integers(0, 20),
    st.sampled_from([0, 12, 22, 23]),  # the last two are the next day in Berlin
)
NAMES = st.sampled_from(["", "a", "Ünicode & <co>"])
NOTES = st.fixed_dictionaries(
    {"solved_at": st.one_of(MOMENTS, MOMENTS, st.none())},
    optional={
        "form": NAMES,
        "plan": NAMES,
        "region": NAMES,
        "group_name": NAMES,
        "assignee": NAMES,
        "reason": NAMES,
        "decided": st.booleans(),
        "asked_at": st.none() | MOMENTS,
        "rated": st.tuples(st.sampled_from(["good", "bad"]), MOMENTS, st.booleans()),
    },
)
TICKETS = st.sampled_from(["1", "2", "3"])
VIEWS = st.builds(
    lambda start, days, filters: View(
        FIRST + timedelta(days=start), FIRST + timedelta(days=start + days), filters
    ),
    st.integers(0, 20),
    st.integers(1, 25),
    st.dictionaries(st.sampled_from(DIMENSIONS), st.sampled_from(["", "", "a"]), max_size=3).map(
        lambda chosen: tuple((name, chosen[name]) for name in DIMENSIONS if name in chosen)
    ),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["note", "note", "note", "tally", "two", "crash"]), TICKETS, NOTES),
    min_size=5,
    max_size=14,
)


type Histories = Callable[[Callable[[Store], Awaitable[None]]], None]


@pytest.fixture
def on_a_store(new_database: Callable[[str], str], clock: ManualClock) -> Iterator[Histories]:
    """Runs one history after the other on one database: hypothesis calls a test many times, a fixture once."""
    with asyncio.Runner() as runner:
        opened = store_on(new_database("csat"), clock)
        store = runner.run(opened.__aenter__())

        def run(history: Callable[[Store], Awaitable[None]]) -> None:
            async def whole() -> None:
                await forget_all(store)
                await history(store)

            runner.run(whole())

        yield run
        runner.run(opened.__aexit__(None, None, None))


class Killed(Exception):
    """What the tests raise where a process would die."""


async def crash(store: Store) -> None:
    """A batch that was counted, and whose transaction did not come to its end."""
    rows = await rows_of(store, tables.ticket_facts)
    try:
        async with store.transaction() as tx:
            await count(tx, [dict(row._mapping) for row in rows], BERLIN)
            raise Killed
    except Killed:
        return


async def step(store: Store, what: str, ticket_id: str, values: dict[str, Any]) -> None:
    if what == "tally":
        await tally_batch(store, BERLIN, 2)
    elif what == "two":
        await asyncio.gather(tally_batch(store, BERLIN, 3), tally_batch(store, BERLIN, 3))
    elif what == "crash":
        await crash(store)
    else:
        await note(store, ticket_id, **as_facts(values))


def as_facts(values: dict[str, Any]) -> dict[str, Any]:
    score, rated_at, has_comment = values.get("rated", (None, None, False))
    rest = {name: value for name, value in values.items() if name != "rated"}
    return rest | ({"score": score, "rated_at": rated_at, "has_comment": has_comment} if score else {})


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(steps=STEPS, view=VIEWS)
@pytest.mark.both_databases
def test_it_equals_a_naive_count_after_anything(
    on_a_store: Histories, steps: list[tuple[str, str, dict[str, Any]]], view: View
) -> None:
    async def history(store: Store) -> None:
        for what, ticket_id, values in steps:
            await step(store, what, ticket_id, values)
        await tallied(store, BERLIN)
        await assert_equals_naive(store, ALL, BERLIN)
        await assert_equals_naive(store, view, BERLIN)

    on_a_store(history)


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(tickets=st.lists(NOTES, min_size=10, max_size=25), views=st.lists(VIEWS, min_size=4, max_size=4))
def test_every_view_of_any_facts(
    on_a_store: Histories, tickets: list[dict[str, Any]], views: list[View]
) -> None:
    async def history(store: Store) -> None:
        async with store.transaction() as tx:
            for n, values in enumerate(tickets):
                await ticket_facts.note(tx, str(n), **as_facts(values))
        await tallied(store, BERLIN)
        for view in views:
            await assert_equals_naive(store, view, BERLIN)

    on_a_store(history)
