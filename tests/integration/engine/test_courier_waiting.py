"""Deliveries that are claimed and wait for a free call: what may happen to them meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from supportops.clock import ManualClock
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.claims import LEASE
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from tests.support.engine import (
    SECOND,
    ByHand,
    FakeDestination,
    book_one,
    rows_of,
    running,
    state_of,
)
from tests.support.eventually import eventually


async def schedule(store: Store, *keys: str, lane: str | None = None) -> None:
    async with store.transaction() as tx:
        for key in keys:
            book_one(tx, "slack", key, lane=lane)


async def all_in(store: Store, state: str) -> bool:
    return all(row["state"] == state for row in (await rows_of(store)).values())


class TestWaitingForAFreeCall:
    """Rows are claimed ahead of a free call; what becomes of them meanwhile counts."""

    @pytest.fixture
    def go(self) -> asyncio.Event:
        return asyncio.Event()

    @pytest.fixture
    def slack(self, go: asyncio.Event) -> FakeDestination:
        async def wait(_delivery: Delivery) -> Outcome:
            await go.wait()
            return Done()

        return FakeDestination(DestinationSpec("slack", concurrency=1), answer=wait)

    async def occupy(self, store: Store, slack: FakeDestination, *waiting: str) -> None:
        """One call in flight ("first"), others claimed and waiting."""
        await schedule(store, "first")
        await eventually(lambda: slack.keys == ["first"])
        await schedule(store, *waiting)
        await eventually(lambda: all_in(store, "leased"))

    async def test_cancelled_meanwhile_is_not_started(
        self, store: Store, clock: ManualClock, metrics: Metrics, slack: FakeDestination, go: asyncio.Event
    ) -> None:
        hand = ByHand(store, slack.spec)
        async with running(Courier(store, [slack], metrics)):
            await self.occupy(store, slack, "cancelled", "rearmed", "kept")
            await hand.cancel("cancelled")
            await hand.rearm("rearmed", due_at=clock.now() + timedelta(hours=1))
            clock.advance(2 * SECOND)
            go.set()
            await eventually(lambda: state_is(store, "kept", "done"))
        assert sorted(slack.keys) == ["first", "kept"]
        assert await state_of(store, "cancelled") == "cancelled"
        assert await state_of(store, "rearmed") == "waiting"

    async def test_taken_over_meanwhile_is_not_called_twice(
        self, store: Store, clock: ManualClock, metrics: Metrics, slack: FakeDestination, go: asyncio.Event
    ) -> None:
        """The process was frozen longer than its lease; a replica has taken over."""
        replica = ByHand(store, slack.spec)
        async with running(Courier(store, [slack], metrics)):
            await self.occupy(store, slack, "second")
            taken: dict[str, Delivery] = {}

            async def takes_over() -> bool:
                """The frozen one may look first; its lease ends again."""
                clock.advance(LEASE)
                taken.update({delivery.key: delivery for delivery in await replica.claim()})
                return "second" in taken

            await eventually(takes_over)
            await replica.complete((taken["second"], Done()))
            go.set()
            await eventually(
                lambda: metrics.value("delivery_attempts", destination="slack", outcome="stale") >= 2
            )
        assert slack.keys == ["first"]

    async def test_a_stop_finishes_what_runs_and_hands_back_the_rest_without_doubt(
        self, store: Store, metrics: Metrics, slack: FakeDestination, go: asyncio.Event
    ) -> None:
        async with running(Courier(store, [slack], metrics)) as stopping:
            await self.occupy(store, slack, "second", "third")
            stopping.set()
            go.set()
        rows = await rows_of(store)
        assert {key: row["state"] for key, row in rows.items()} == {
            "first": "done",
            "second": "waiting",
            "third": "waiting",
        }
        assert slack.keys == ["first"]
        for delivery in await ByHand(store, slack.spec).claim():
            assert (delivery.attempts, delivery.uncertain) == (1, False)


async def state_is(store: Store, key: str, state: str) -> bool:
    return await state_of(store, key) == state


class FailsOnce:
    """A store whose database is away for one transaction, when told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fail_next = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self.fail_next:
            self.fail_next = False
            raise ConnectionError("the database is away")
        async with self.store.transaction() as tx:
            yield tx


async def test_own_answers_are_written_before_anything_is_claimed_again(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    """The database was away longer than a lease: what we know must not become doubt."""
    flaky = FailsOnce(store)

    def answer(_delivery: Delivery) -> Outcome:
        flaky.fail_next = not slack.calls[1:]
        return Done()

    slack = FakeDestination(DestinationSpec("slack"), answer=answer)
    async with running(Courier(cast(Store, flaky), [slack], metrics)):
        await schedule(store, "a")
        await eventually(lambda: slack.keys == ["a"] and not flaky.fail_next)
        clock.advance(LEASE)
        await schedule(store, "wakes the courier")
        await eventually(lambda: all_in(store, "done"))
    assert slack.asked == []
    assert sorted(slack.keys) == ["a", "wakes the courier"]
