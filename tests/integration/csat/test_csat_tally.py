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
from csat.numbers.tallying import count, tally_batch
from csat.numbers.view import DIMENSIONS, View
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat.ledger import rows_of
from tests.integration.csat.tallies import assert_equals_naive, forget_all, note, tallied
from tests.support.engine import store_on

BERLIN = ZoneInfo("Europe/Berlin")
ALL = View(date(2026, 1, 1), date(2026, 4, 1))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 31, 20), timezones=st.just(UTC))
NAMES = st.sampled_from(["", "a", "b", "Ünicode & <co>"])
NOTES = st.fixed_dictionaries(
    {},
    optional={
        "solved_at": st.none() | MOMENTS,
        "form": NAMES,
        "plan": NAMES,
        "region": NAMES,
        "group_name": NAMES,
        "assignee": NAMES,
        "reason": NAMES,
        "decided": st.booleans(),
        "asked_at": st.none() | MOMENTS,
        "rated": st.none() | st.tuples(st.sampled_from(["good", "bad"]), MOMENTS, st.booleans()),
    },
)
TICKETS = st.sampled_from(["1", "2", "3", "4", "5"])
VIEWS = st.builds(
    lambda start, days, filters: View(
        ALL.since + timedelta(days=start), ALL.since + timedelta(days=start + days), filters
    ),
    st.integers(0, 60),
    st.integers(1, 90),
    st.dictionaries(st.sampled_from(DIMENSIONS), NAMES, max_size=3).map(
        lambda chosen: tuple((name, chosen[name]) for name in DIMENSIONS if name in chosen)
    ),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["note", "note", "note", "tally", "crash", "two"]), TICKETS, NOTES),
    min_size=1,
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
    rows = await rows_of(store, tables.facts)
    with pytest.raises(Killed):
        async with store.transaction() as tx:
            await count(tx, [dict(row._mapping) for row in rows], BERLIN)
            raise Killed


async def step(store: Store, what: str, ticket_id: str, values: dict[str, Any]) -> None:
    if what == "tally":
        await tally_batch(store, BERLIN, 2)
    elif what == "two":
        await asyncio.gather(tally_batch(store, BERLIN, 3), tally_batch(store, BERLIN, 3))
    elif what == "crash":
        await crash(store)
    else:
        rated = values.pop("rated", None)
        if rated is not None:
            score, rated_at, has_comment = rated
            values |= {"score": score, "rated_at": rated_at, "has_comment": has_comment}
        await note(store, ticket_id, **values)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(steps=STEPS, view=VIEWS)
def test_it_equals_a_naive_count_after_anything(
    on_a_store: Histories, steps: list[tuple[str, str, dict[str, Any]]], view: View
) -> None:
    async def history(store: Store) -> None:
        for what, ticket_id, values in steps:
            await step(store, what, ticket_id, dict(values))
        await tallied(store, BERLIN)
        await assert_equals_naive(store, ALL, BERLIN)
        await assert_equals_naive(store, view, BERLIN)

    on_a_store(history)
