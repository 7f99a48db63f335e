"""On PostgreSQL an end is one statement and its lane another (decision 183): what lies between, and beside."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from supportops.clock import ManualClock
from supportops.delivery import Budget, DestinationSpec, Done, Rate, completer
from supportops.delivery.claims import LEASE
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE
from tests.support.engine import SECOND, ByHand, rows_of, solved, store_on
from tests.support.eventually import eventually

pytestmark = pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
BUDGET = Budget("posts", Rate(20, 60 * SECOND))  # one every three seconds, a burst of two
RATE = ENGINE.rates.c.name == "budget:posts"


async def test_a_lane_that_was_not_told_of_an_end_goes_on_when_the_lease_is_over(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process or the database dies between the two."""

    async def away(*_arguments: object) -> None:
        raise ConnectionError("the database is away")

    hand = ByHand(store, DestinationSpec("slack", lane_pace=Rate(1, SECOND)))
    await hand.schedule("first", lane="a")
    await hand.schedule("second", lane="a")
    first = await hand.take()
    with monkeypatch.context() as patched:
        patched.setattr(completer, "refresh", away)
        await hand.complete((first, Done()))
    assert (await rows_of(store))["first"]["state"] == "done"
    assert await hand.claim() == []
    clock.advance(LEASE)
    assert (await hand.take()).key == "second"


async def test_a_slow_lane_is_told_in_the_same_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pace is longer than its lease: what is not told of the end would call too soon."""

    async def away(*_arguments: object) -> None:
        raise ConnectionError("the database is away")

    hand = ByHand(store, DestinationSpec("slack", lane_pace=Rate(1, 2 * LEASE)))
    await hand.schedule("first", lane="a")
    first = await hand.take()
    monkeypatch.setattr(completer, "refresh", away)
    with pytest.raises(ConnectionError):
        await hand.complete((first, Done()))
    assert (await rows_of(store))["first"]["state"] == "leased"


async def test_a_row_of_somebody_else_takes_all_of_the_statement_back(
    store: Store, clock: ManualClock
) -> None:
    """What follows from a row that is not ours is not written; what follows from its neighbours is, once."""
    hand = ByHand(store, DestinationSpec("slack"))
    await hand.schedule("lost", lane="lost")
    lost = await hand.take()
    clock.advance(LEASE)
    await hand.schedule("kept", lane="kept")
    kept = next(each for each in await hand.claim() if each.key == "kept")

    def promise(ticket: int) -> Done:
        def then(tx: Transaction) -> None:
            tx.publish(solved(ticket))

        return Done({}, then)

    await hand.complete((lost, promise(1)), (kept, promise(2)))
    async with store.reading() as conn:
        promised = (await conn.execute(select(ENGINE.outbox.c.key))).scalars().all()
    assert promised == [b"2"]
    assert {key: row["state"] for key, row in (await rows_of(store)).items()} == {
        "lost": "leased",
        "kept": "done",
    }


@pytest.mark.parametrize(("spent", "left"), [(3 * SECOND, 1), (6 * SECOND, 0)])
async def test_a_claim_that_waited_for_its_budget_takes_what_is_left_by_then(
    store: Store, app_database: str, clock: ManualClock, spent: timedelta, left: int
) -> None:
    """Its snapshot is older than what the other one has spent meanwhile."""
    hand = ByHand(store, DestinationSpec("slack", budget=BUDGET))
    for key in "abcd":
        await hand.schedule(key)
    await hand.complete(*((delivery, Done()) for delivery in await hand.claim(limit=1)))
    clock.advance(9 * SECOND)
    async with store_on(app_database, clock) as other:
        async with other.transaction() as tx:
            await tx.execute(update(ENGINE.rates).where(RATE).values(free_at=clock.now() + spent))
            claiming = asyncio.create_task(hand.claim())
            await eventually(lambda: _somebody_waits(store))
        claimed = await claiming
        assert len(claimed) == left
        async with other.reading() as conn:
            free_at = (await conn.execute(select(ENGINE.rates.c.free_at).where(RATE))).scalar_one()
    assert free_at == clock.now() + 6 * SECOND


async def _somebody_waits(store: Store) -> bool:
    locks = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with store.reading() as conn:
        return bool((await conn.execute(text(locks))).scalar())
