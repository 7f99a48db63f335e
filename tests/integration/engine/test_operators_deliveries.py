"""What operators do to deliveries: looking, trying again, cancelling, each through the guarded way."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update

from supportops.clock import ManualClock
from supportops.delivery import Courier, Delivery, DestinationSpec, Discard, Done, Outcome
from supportops.delivery.dead import cancel, revive
from supportops.delivery.listing import DeliveryFilter, count_deliveries, delivery_details, list_deliveries
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.tables import ENGINE
from tests.support.engine import ByHand, running
from tests.support.eventually import eventually

POSTS, RECORDS = "slack.posts", "sfdc.records"
DEAD = DeliveryFilter(states=("dead",))


async def schedule(store: Store, destination: str, *keys: str) -> None:
    async with store.transaction() as tx:
        for key in keys:
            tx.deliveries.schedule(destination, key, lane=f"lane-{key}", payload={"words": "a customer's"})


async def kill(store: Store, destination: str, key: str, reason: str) -> None:
    """As if the courier had given up on it."""
    d = ENGINE.deliveries
    async with store.transaction() as tx:
        outcome = f'{{"kind":"give_up","reason":"{reason}"}}'
        ended = {"state": "dead", "outcome": outcome, "attempts": 3, "finished_at": tx.now}
        await tx.execute(update(d).where(d.c.destination == destination, d.c.key == key).values(**ended))


async def keys(store: Store, wanted: DeliveryFilter, limit: int = 100) -> list[str]:
    return [each.key for each in await list_deliveries(store, wanted, limit)]


async def row_of(store: Store, key: str) -> dict[str, object]:
    (row,) = await delivery_details(store, key, None)
    return row


async def test_each_filter_narrows(store: Store, clock: ManualClock) -> None:
    for destination, key in ((POSTS, "1"), (POSTS, "2"), (RECORDS, "3")):
        await schedule(store, destination, key)
        clock.advance(timedelta(seconds=1))
    await kill(store, POSTS, "1", 'says \\"is_archived\\" 100%')
    clock.advance(timedelta(hours=3))
    await schedule(store, RECORDS, "4")
    assert await keys(store, DeliveryFilter()) == ["1", "2", "3", "4"]
    assert await keys(store, DeliveryFilter(), limit=2) == ["1", "2"]
    assert await keys(store, DEAD) == ["1"]
    assert await keys(store, DeliveryFilter(destinations=(RECORDS,))) == ["3", "4"]
    assert await keys(store, DeliveryFilter(lane="lane-2")) == ["2"]
    assert await keys(store, DeliveryFilter(since=clock.now() - timedelta(hours=1))) == ["4"]
    assert await keys(store, DeliveryFilter(reason='"is_archived" 100%')) == ["1"]
    assert await keys(store, DeliveryFilter(reason="is_archived_100")) == []  # no pattern of its own
    assert await count_deliveries(store, DeliveryFilter()) == {POSTS: 2, RECORDS: 2}


async def test_only_dead_ones_are_tried_again_and_they_count_as_in_doubt(store: Store) -> None:
    await schedule(store, POSTS, "1", "2", "3")
    await kill(store, POSTS, "1", "403")
    await kill(store, POSTS, "2", "400")
    assert await revive(store, DeliveryFilter(reason="403")) == [(POSTS, "1")]
    row = await row_of(store, "1")
    assert (row["state"], row["attempts"], bool(row["uncertain"]), row["generation"]) == (
        "waiting",
        0,
        True,
        2,
    )
    assert await keys(store, DEAD) == ["2"]


async def test_an_operators_cancel_keeps_its_reason_and_leaves_what_has_ended(store: Store) -> None:
    await schedule(store, POSTS, "1", "2", "3")
    await kill(store, POSTS, "3", "403")
    assert await cancel(store, DeliveryFilter(keys=("1", "3")), "by an operator: duplicate") == [(POSTS, "1")]
    row = await row_of(store, "1")
    assert (row["state"], row["outcome"], row["generation"]) == (
        "cancelled",
        {"kind": "cancelled", "reason": "by an operator: duplicate"},
        2,
    )
    assert await cancel(store, DeliveryFilter(keys=("1",)), "again") == []
    assert await keys(store, DeliveryFilter()) == ["2", "3"]


async def test_what_is_in_flight_ends_and_is_recorded_but_does_not_come_again(store: Store) -> None:
    await schedule(store, POSTS, "1")
    worker = ByHand(store, DestinationSpec(POSTS, idempotent=True))
    (delivery,) = await worker.claim()
    assert await cancel(store, DeliveryFilter(), "stop") == [(POSTS, "1")]
    await worker.complete((delivery, Done({"ts": "1.2"})))
    row = await row_of(store, "1")
    assert (row["state"], row["outcome"]) == ("cancelled", {"kind": "done", "result": {"ts": "1.2"}})


class Refusing:
    """Gives up on everything."""

    spec = DestinationSpec(POSTS, idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Discard("not_in_channel") for _ in deliveries]


async def test_the_list_shows_what_the_courier_wrote(live_store: Store) -> None:
    await schedule(live_store, POSTS, "1")
    async with running(Courier(live_store, [Refusing()], Metrics())):
        (dead,) = await eventually(lambda: list_deliveries(live_store, DEAD, 10))
    assert (dead.destination, dead.lane, dead.attempts, dead.reason) == (POSTS, "lane-1", 1, "not_in_channel")
    async with live_store.reading() as conn:
        assert (await conn.execute(select(ENGINE.deliveries.c.finished_at))).scalar_one() == dead.finished_at
