"""Promised events: published after the commit and only then, at least once, whoever dies."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from supportops.clock import ManualClock
from supportops.contracts import decode
from supportops.messaging.ports import Answer, Outgoing, Publisher
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.outbox import (
    OWN_TIME,
    claim_stale,
    forget_published,
    list_refused,
    oldest_unpublished,
    publish_again,
)
from supportops.store.tables import ENGINE
from supportops.workers import Relay
from tests.support.engine import SECOND, running, solved, store_on
from tests.support.eventually import eventually
from tests.support.records import FakePublisher


@pytest.fixture
def broker() -> FakePublisher:
    return FakePublisher()


def relay(broker: Publisher, store: Store, metrics: Metrics) -> Relay:
    """A relay whose sweeps do not keep a test waiting."""
    return Relay(broker, store, metrics, sweep_every=SECOND / 50)


async def publish(store: Store, *event_ids: str) -> None:
    async with store.transaction() as tx:
        for event_id in event_ids:
            tx.publish(solved(1, event_id=event_id))


async def waiting(store: Store) -> int:
    async with store.reading() as conn:
        return (await conn.execute(select(func.count()).select_from(ENGINE.outbox))).scalar_one()


async def nothing_waits(store: Store) -> bool:
    return await waiting(store) == 0


async def only_the_dead_ones_wait(store: Store) -> bool:
    return await waiting(store) == 2


async def test_an_event_is_published_after_its_commit_as_it_was_promised(
    store: Store, broker: FakePublisher, metrics: Metrics
) -> None:
    event = solved(42)
    async with running(Relay(broker, store, metrics)):
        async with store.transaction() as tx:
            tx.publish(event)
        await eventually(lambda: nothing_waits(store))
    (record,) = broker.records
    assert (record.topic, record.key) == ("zendesk.tickets", b"42")
    assert decode(record.headers, record.value) == event
    assert metrics.value("outbox_published", topic="zendesk.tickets") == 1


async def test_nothing_is_published_after_a_rollback(
    store: Store, broker: FakePublisher, metrics: Metrics
) -> None:
    async def fail() -> None:
        async with store.transaction() as tx:
            tx.publish(solved(1, event_id="never"))
            await tx.flush()
            raise RuntimeError

    async with running(relay(broker, store, metrics)):
        with pytest.raises(RuntimeError):
            await fail()
        await publish(store, "control")
        await eventually(lambda: nothing_waits(store))
    assert broker.ids == ["control"]


async def test_many_rows_are_one_round_trip_and_keep_their_order(
    store: Store, broker: FakePublisher, metrics: Metrics
) -> None:
    ids = [f"e{n:03}" for n in range(300)]
    async with running(Relay(broker, store, metrics)):
        await publish(store, *ids)
        await eventually(lambda: nothing_waits(store))
    assert broker.ids == ids
    assert len(broker.rounds) == 1


async def test_what_a_dead_process_left_is_swept_by_another(
    app_database: str, broker: FakePublisher, clock: ManualClock, metrics: Metrics
) -> None:
    """The writer died between its commit and its publishing: it had no relay at all."""
    async with store_on(app_database, clock) as dead, store_on(app_database, clock) as alive:
        await publish(dead, "left-1", "left-2")
        async with running(relay(broker, alive, metrics)):
            await publish(alive, "control")
            await eventually(lambda: only_the_dead_ones_wait(alive))
            assert broker.ids == ["control"]
            clock.advance(OWN_TIME + SECOND)
            await eventually(lambda: nothing_waits(alive))
    assert broker.ids == ["control", "left-1", "left-2"]


async def test_what_a_process_with_a_clock_that_was_a_day_ahead_left_is_swept_now(
    app_database: str, broker: FakePublisher, clock: ManualClock, metrics: Metrics
) -> None:
    async with store_on(app_database, clock) as store:
        clock.advance(timedelta(days=1))
        await publish(store, "left")
        clock.advance(-timedelta(days=1))
        async with running(relay(broker, store, metrics)):
            await eventually(lambda: nothing_waits(store))
    assert broker.ids == ["left"]


async def test_a_row_belongs_to_its_own_process_first_and_then_to_one_sweeper(
    store: Store, clock: ManualClock
) -> None:
    await publish(store, "a")

    async def sweep() -> int:
        async with store.transaction() as tx:
            return len(await claim_stale(tx.conn, ENGINE.outbox, tx.now, 10))

    clock.advance(OWN_TIME)
    assert await sweep() == 0
    clock.advance(SECOND)
    assert [await sweep(), await sweep()] == [1, 0]
    clock.advance(timedelta(minutes=1))
    assert await sweep() == 1


async def test_a_broker_that_is_away_loses_nothing(
    store: Store, broker: FakePublisher, clock: ManualClock, metrics: Metrics
) -> None:
    broker.away = True
    async with running(relay(broker, store, metrics)):
        await publish(store, "a")
        await eventually(lambda: broker.refused == 1)
        await publish(store, "b")
        await eventually(lambda: broker.refused == 2)
        async with store.reading() as conn:
            assert await oldest_unpublished(conn, ENGINE.outbox) == clock.now()
        for refused in (3, 4):
            clock.advance(timedelta(minutes=1))
            await eventually(lambda n=refused: broker.refused >= n)  # type: ignore[misc]
        broker.away = False
        clock.advance(timedelta(minutes=1))
        await eventually(lambda: nothing_waits(store))
    assert sorted(broker.ids) == ["a", "b"]
    async with store.reading() as conn:
        assert await oldest_unpublished(conn, ENGINE.outbox) is None


async def test_what_the_broker_refuses_for_good_is_set_aside_and_its_neighbours_pass_once(
    store: Store, broker: FakePublisher, clock: ManualClock, metrics: Metrics
) -> None:
    broker.too_large = lambda record: dict(record.headers)["ce_id"] == b"too-large"
    async with running(relay(broker, store, metrics)):
        await publish(store, "a", "too-large", "b")
        await eventually(lambda: only_one_waits(store))
        for _ in range(3):
            clock.advance(timedelta(minutes=1))
            await publish(store, f"later-{clock.now():%M}")
            await eventually(lambda: only_one_waits(store))
        async with store.reading() as conn:
            assert await oldest_unpublished(conn, ENGINE.outbox) is None  # it holds up no readiness
            (aside,) = await list_refused(conn, ENGINE.outbox)
        assert (aside.topic, aside.refused) == ("zendesk.tickets", "MessageSizeTooLargeError")
        assert metrics.value("outbox_refused", topic="zendesk.tickets") == 1
        assert Counter(broker.ids) == Counter(["a", "b", "later-01", "later-02", "later-03"])
        broker.too_large = lambda _record: False  # the topic's limit was raised
        async with store.transaction() as tx:
            assert await publish_again(tx.conn, ENGINE.outbox, tx.now) == 1
        clock.advance(timedelta(minutes=1))
        await eventually(lambda: nothing_waits(store))
    assert broker.ids[-1] == "too-large"


async def only_one_waits(store: Store) -> bool:
    return await waiting(store) == 1


async def test_two_relays_lose_nothing_and_share_what_is_swept(
    app_database: str, broker: FakePublisher, clock: ManualClock, metrics: Metrics
) -> None:
    async with store_on(app_database, clock) as one, store_on(app_database, clock) as other:
        left = [f"left-{n}" for n in range(700)]
        await publish(one, *left)
        clock.advance(OWN_TIME + SECOND)
        async with running(relay(broker, one, metrics), relay(broker, other, metrics)):
            for n in range(10):
                await publish(one, f"one-{n}")
                await publish(other, f"other-{n}")
            await eventually(lambda: nothing_waits(one))
    own = [f"{who}-{n}" for who in ("one", "other") for n in range(10)]
    assert Counter(broker.ids) == Counter(left + own)


async def test_a_publisher_that_dies_before_it_forgets_publishes_again(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    """At least once: the crash between the broker's acknowledgement and our delete repeats the event."""

    class DiesAfterAck(FakePublisher):
        async def send(self, records: Sequence[Outgoing]) -> list[Answer]:
            answers = await super().send(records)
            await asyncio.Event().wait()
            return answers

    first, second = DiesAfterAck(), FakePublisher()
    worker = asyncio.create_task(relay(first, store, metrics).run(asyncio.Event()))
    await publish(store, "a")
    await eventually(lambda: first.ids == ["a"])
    worker.cancel()
    await asyncio.wait((worker,))
    clock.advance(OWN_TIME + SECOND)
    async with running(relay(second, store, metrics)):
        await eventually(lambda: nothing_waits(store))
    assert second.ids == ["a"]


async def test_a_stop_publishes_what_is_in_hand(
    store: Store, broker: FakePublisher, metrics: Metrics
) -> None:
    stopping = asyncio.Event()
    component = Relay(broker, store, metrics)
    await publish(store, "a")
    stopping.set()
    await component.run(stopping)
    assert broker.ids == ["a"]
    assert await nothing_waits(store)


async def test_rows_that_could_not_be_forgotten_are_forgotten_later(
    live_store: Store, broker: FakePublisher, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [ConnectionError("gone"), ConnectionError("gone")]

    async def forget(*arguments: Any) -> None:
        if refusals:
            raise refusals.pop()
        await forget_published(*arguments)

    monkeypatch.setattr("supportops.workers.relay.forget_published", forget)
    async with running(relay(broker, live_store, metrics)):
        await publish(live_store, "a", "b")
        await eventually(lambda: not refusals)
        await publish(live_store, "c")
        await eventually(lambda: nothing_waits(live_store))
    assert len(broker.records) == 3
