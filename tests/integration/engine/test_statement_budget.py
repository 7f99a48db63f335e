"""What messages, deliveries and idleness cost the database; `make bench` counts the same on PostgreSQL's log."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supportops.delivery import Budget, Courier, DestinationSpec, Rate
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.workers import Relay, engine_retention, janitor
from tests.support.engine import SECOND, FakeDestination, book_one, running, state_of, store_on
from tests.support.eventually import eventually
from tests.support.records import FakePublisher
from tests.support.statements import counted

pytestmark = pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
MESSAGES = 20
BUDGET = 3  # statements from the claim to the written end: the claim, what came of it, the lane
WAITING = BUDGET + 0.5  # a timer may wake a little early, and ask for nothing
LOOKS = 1.2  # a second, of an idle courier
IDLE = 2.0  # a second and process


@pytest.fixture
async def courier_store(app_database: str) -> AsyncIterator[tuple[Store, list[str]]]:
    """The store of a process with a courier, and its statements."""
    async with store_on(app_database) as store:
        with counted(store) as texts:
            yield store, texts


@pytest.mark.parametrize("budget", [None, Budget("posts", Rate(1000, timedelta(minutes=1)))])
async def test_a_message_costs_three_statements_from_claim_to_end(
    courier_store: tuple[Store, list[str]], app_database: str, metrics: Metrics, budget: Budget | None
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack", lane_pace=None, budget=budget))
    async with store_on(app_database) as other, running(Courier(store, [slack], metrics)):
        await _one(other, "first")
        await eventually(lambda: _has_started(texts))
        texts.clear()
        for n in range(MESSAGES):
            await _one(other, str(n))
        mine = _but_looks(texts)
    assert MESSAGES < len(mine) <= BUDGET * MESSAGES, "\n".join(mine[:12])


async def test_a_message_that_waits_for_a_budget_costs_no_more(
    courier_store: tuple[Store, list[str]], app_database: str, metrics: Metrics
) -> None:
    """Nobody asks again before the budget has more, whatever is scheduled or ends meanwhile."""
    store, texts = courier_store
    tight = Budget("posts", Rate(1200, timedelta(minutes=1)), ahead=SECOND / 20)
    slack = FakeDestination(DestinationSpec("slack", lane_pace=None, budget=tight))
    async with store_on(app_database) as other, running(Courier(store, [slack], metrics)):
        await _one(other, "first")
        await eventually(lambda: _has_started(texts))
        texts.clear()
        for n in range(MESSAGES):
            async with other.transaction() as tx:
                book_one(tx, "slack", str(n), lane=str(n % 5))  # each that ends tells of the next
        await eventually(lambda: len(slack.keys) == 1 + MESSAGES)
        mine = _but_looks(texts)
    assert MESSAGES < len(mine) <= WAITING * MESSAGES, "\n".join(mine[:12])


async def _one(other: Store, key: str) -> None:
    async with other.transaction() as tx:
        book_one(tx, "slack", key)
    await eventually(lambda: _done(other, key))


def _but_looks(texts: list[str]) -> list[str]:
    return [text for text in texts if not text.startswith("SELECT (SELECT min(lanes.claimable_at)")]


def _has_started(texts: list[str]) -> bool:
    """It listens, has looked, and has put right what a clock that was ahead may have left (the last thing it does
    once only)."""
    first = ("LISTEN", "SELECT (SELECT min(lanes", "UPDATE lanes SET claimable_at=$1")
    return all(any(text.startswith(words) for text in texts) for words in first)


def _is_over(words: str, texts: list[str]) -> bool:
    """Whether the transaction with that statement is committed."""
    at = next((n for n, text in enumerate(texts) if text.startswith(words)), len(texts))
    return "COMMIT;" in texts[at:]


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
        await eventually(lambda: _is_over("DELETE FROM lanes", texts), about="the janitor has been")
        texts.clear()
        started = store.clock.now()
        await eventually(lambda: store.clock.now() - started > 6 * SECOND, within=12)
        took = (store.clock.now() - started) / SECOND
    assert 0 < len(texts) / took <= IDLE, "\n".join(texts)
