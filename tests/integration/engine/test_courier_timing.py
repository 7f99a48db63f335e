"""How soon a due row starts, and what waiting costs. Loose bounds: the figures proper are in the bench."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import dropwhile, pairwise
from statistics import median
from typing import Any

import pytest
from sqlalchemy import Engine, event

from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome, TryAgain
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import SECOND, FakeDestination, book_one, running, store_on
from tests.support.eventually import eventually

FEW = 9
TRIES = 5
SOON = timedelta(milliseconds=200)  # 50 ms is the promise; a busy machine of the gate gets four times that


def lateness(destination: FakeDestination) -> timedelta:
    """Median time from due to claimed."""
    return timedelta(
        seconds=median((d.claimed_at - d.due_at).total_seconds() for d in destination.deliveries)
    )


async def one_after_another(store: Store, destination: FakeDestination) -> None:
    """Schedule a few rows that are due now, each when the one before it was called."""
    for n in range(FEW):
        async with store.transaction() as tx:
            book_one(tx, destination.spec.name, str(n))
        await eventually(lambda n=n: len(destination.keys) == n + 1)  # type: ignore[misc]


async def test_a_row_due_now_starts_at_once(live_store: Store, metrics: Metrics) -> None:
    slack = FakeDestination(DestinationSpec("slack"))
    async with running(Courier(live_store, [slack], metrics)):
        await one_after_another(live_store, slack)
    assert lateness(slack) < SOON


async def test_a_row_due_later_starts_at_its_time(live_store: Store, metrics: Metrics) -> None:
    slack = FakeDestination(DestinationSpec("slack"))
    async with running(Courier(live_store, [slack], metrics)):
        async with live_store.transaction() as tx:
            for n in range(FEW):
                book_one(tx, "slack", str(n), due_at=tx.now + SECOND / 2 + n * SECOND / 10)
        await eventually(lambda: len(slack.keys) == FEW)
    assert slack.keys == [str(n) for n in range(FEW)]
    assert all(d.claimed_at >= d.due_at for d in slack.deliveries)
    assert lateness(slack) < SOON


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_a_row_of_another_process_starts_at_once_on_postgres(
    app_database: str, metrics: Metrics
) -> None:
    slack = FakeDestination(DestinationSpec("slack"))
    async with (
        store_on(app_database) as ours,
        store_on(app_database) as other,
        running(Courier(ours, [slack], metrics)),
    ):
        await one_after_another(other, slack)
    assert lateness(slack) < SOON


async def test_idle_costs_a_query_a_second(live_store: Store, metrics: Metrics) -> None:
    courier = Courier(live_store, [FakeDestination(DestinationSpec(name)) for name in "abc"], metrics)
    async with live_store.transaction() as tx:
        book_one(tx, "a", "tomorrow", due_at=tx.now + timedelta(days=1))
    with statements() as moments:
        async with running(courier):
            await eventually(lambda: len(moments) > 7)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    after_the_start = list(dropwhile(lambda gap: gap < 0.5, gaps))
    assert len(after_the_start) > 1
    assert min(after_the_start) > 0.8


async def test_the_next_of_a_lane_starts_when_the_call_before_has_ended(
    live_store: Store, metrics: Metrics
) -> None:
    slack = FakeDestination(DestinationSpec("slack"))
    async with running(Courier(live_store, [slack], metrics)):
        await _eventually_all_of_one_lane(live_store, slack)
    assert slack.deliveries[-1].claimed_at - slack.deliveries[0].claimed_at < FEW * SOON


async def test_a_row_that_was_rearmed_during_its_call_starts_again_at_once(
    live_store: Store, metrics: Metrics
) -> None:
    async def rearmed(delivery: Delivery) -> Outcome:
        if delivery.generation == 1:
            async with live_store.transaction() as tx:
                tx.deliveries.rearm("slack", "k", lane="k", payload={})
            looks = len(moments)
            await eventually(
                lambda: len(moments) > looks, about="the courier has looked: its lane is in flight"
            )
        return Done()

    slack = FakeDestination(DestinationSpec("slack"), answer=rearmed)
    with statements() as moments:
        async with running(Courier(live_store, [slack], metrics)):
            async with live_store.transaction() as tx:
                book_one(tx, "slack", "k")
            await eventually(lambda: len(slack.keys) == 2)
    assert slack.deliveries[1].claimed_at - slack.deliveries[0].claimed_at < 4 * SOON


async def test_a_retry_starts_at_its_time(live_store: Store, metrics: Metrics) -> None:
    soon = timedelta(milliseconds=50)
    slack = FakeDestination(
        DestinationSpec("slack"),
        answer=lambda delivery: TryAgain(soon, "not yet") if delivery.attempts < TRIES else Done(),
    )
    async with running(Courier(live_store, [slack], metrics)):
        async with live_store.transaction() as tx:
            book_one(tx, "slack", "k")
        await eventually(lambda: len(slack.keys) == TRIES)
    gaps = [later.claimed_at - earlier.claimed_at for earlier, later in pairwise(slack.deliveries)]
    assert min(gaps) >= soon
    assert median(gap.total_seconds() for gap in gaps) < (soon + SOON).total_seconds()


async def _eventually_all_of_one_lane(store: Store, destination: FakeDestination) -> None:
    async with store.transaction() as tx:
        for n in range(FEW):
            book_one(tx, destination.spec.name, str(n), lane="one")
    await eventually(lambda: len(destination.keys) == FEW)


@contextmanager
def statements() -> Iterator[list[float]]:
    """The moments at which this process runs statements, other than to begin a transaction."""
    moments: list[float] = []
    loop = asyncio.get_running_loop()

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            moments.append(loop.time())

    event.listen(Engine, "before_cursor_execute", note)
    yield moments
    event.remove(Engine, "before_cursor_execute", note)
