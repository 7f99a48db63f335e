"""What messages, deliveries and idleness cost the database; `make bench` counts the same on PostgreSQL's log."""

from collections.abc import AsyncIterator

import pytest

from supportops.delivery import Courier, DestinationSpec
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.workers import Relay, engine_retention, janitor
from tests.support.engine import SECOND, FakeDestination, book_one, running, state_of, store_on
from tests.support.eventually import eventually
from tests.support.records import FakePublisher
from tests.support.statements import counted

pytestmark = pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
MESSAGES = 20
BUDGET = 5  # statements from the claim to the written end
LOOKS = 1.2  # a second, of an idle courier
IDLE = 2.0  # a second and process


@pytest.fixture
async def courier_store(app_database: str) -> AsyncIterator[tuple[Store, list[str]]]:
    """The store of a process with a courier, and its statements."""
    async with store_on(app_database) as store:
        with counted(store) as texts:
            yield store, texts


async def test_a_message_costs_five_statements_from_claim_to_end(
    courier_store: tuple[Store, list[str]], app_database: str, metrics: Metrics
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack", lane_pace=None))
    async with store_on(app_database) as other, running(Courier(store, [slack], metrics)):
        await eventually(lambda: _has_started(texts))
        texts.clear()
        for n in range(MESSAGES):
            async with other.transaction() as tx:
                book_one(tx, "slack", str(n))
            await eventually(lambda n=n: _done(other, str(n)))  # type: ignore[misc]
        looks = [text for text in texts if text.startswith("SELECT (SELECT min(lanes.claimable_at)")]
        mine = [text for text in texts if text not in looks]
    assert MESSAGES < len(mine) <= BUDGET * MESSAGES, "\n".join(mine[:12])


def _has_started(texts: list[str]) -> bool:
    """It listens, has looked, and has put right what a clock that was ahead may have left (the last thing it does
    once only)."""
    first = ("LISTEN", "SELECT (SELECT min(lanes", "UPDATE lanes SET claimable_at=$1")
    return all(any(text.startswith(words) for text in texts) for words in first)


async def _done(store: Store, key: str) -> bool:
    return await state_of(store, key) == "done"


async def test_an_idle_courier_looks_once_a_second(
    courier_store: tuple[Store, list[str]], metrics: Metrics
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack"))
    async with running(Courier(store, [slack], metrics)):
        await eventually(lambda: _has_started(texts))
        texts.clear()
        started = store.clock.now()
        await eventually(lambda: store.clock.now() - started > 5 * SECOND, within=10)
        took = (store.clock.now() - started) / SECOND
    assert 0 < len(texts) / took <= LOOKS, "\n".join(texts)


async def test_an_idle_worker_asks_twice_a_second_at_most(
    courier_store: tuple[Store, list[str]], metrics: Metrics
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack"))
    parts = (Courier(store, [slack], metrics), Relay(FakePublisher(), store, metrics))
    async with running(*parts, janitor(store, engine_retention(), metrics)):
        await eventually(lambda: _has_started(texts))
        await eventually(
            lambda: sum("dead_letter_marks" in text for text in texts) > 0
        )  # the janitor has been
        texts.clear()
        started = store.clock.now()
        await eventually(lambda: store.clock.now() - started > 6 * SECOND, within=12)
        took = (store.clock.now() - started) / SECOND
    assert 0 < len(texts) / took <= IDLE, "\n".join(texts)
