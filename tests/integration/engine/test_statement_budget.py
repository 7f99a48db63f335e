"""What a delivery costs the database, counted at the driver: every statement, BEGIN and COMMIT included."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from supportops.delivery import Courier, DestinationSpec
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import SECOND, FakeDestination, book_one, running, state_of, store_on
from tests.support.eventually import eventually

pytestmark = pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
MESSAGES = 20
BUDGET = 5  # statements from the claim to the written end
LOOKS = 1.2  # a second, of an idle courier


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of connections that are opened within."""
    texts: list[str] = []

    def watch(connection: Any, _record: Any) -> None:
        connection.driver_connection.add_query_logger(lambda record: texts.append(record.query))

    event.listen(Engine, "connect", watch)
    yield texts
    event.remove(Engine, "connect", watch)


@pytest.fixture
async def courier_store(app_database: str) -> AsyncIterator[tuple[Store, list[str]]]:
    """The store of a process with a courier, and its statements."""
    with counted() as texts:
        async with store_on(app_database) as store:
            yield store, texts


async def test_a_message_costs_five_statements_from_claim_to_end(
    courier_store: tuple[Store, list[str]], app_database: str, metrics: Metrics
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack", lane_pace=None))
    async with store_on(app_database) as other, running(Courier(store, [slack], metrics)):
        await eventually(lambda: any("LISTEN" in text for text in texts))
        texts.clear()
        for n in range(MESSAGES):
            async with other.transaction() as tx:
                book_one(tx, "slack", str(n))
            await eventually(lambda n=n: _done(other, str(n)))  # type: ignore[misc]
        looks = sum("min(lanes.claimable_at) AS min" in text and "WITH" not in text for text in texts)
    assert (len(texts) - looks) / MESSAGES <= BUDGET, "\n".join(texts[:12])


async def _done(store: Store, key: str) -> bool:
    return await state_of(store, key) == "done"


async def test_an_idle_courier_looks_once_a_second(
    courier_store: tuple[Store, list[str]], metrics: Metrics
) -> None:
    store, texts = courier_store
    slack = FakeDestination(DestinationSpec("slack"))
    async with running(Courier(store, [slack], metrics)):
        await eventually(lambda: any("LISTEN" in text for text in texts))
        texts.clear()
        started = store.clock.now()
        await eventually(lambda: store.clock.now() - started > 5 * SECOND, within=10)
        took = (store.clock.now() - started) / SECOND
    assert len(texts) / took <= LOOKS, "\n".join(texts)
