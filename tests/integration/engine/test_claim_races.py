"""Claims beside cancels and final writes that commit at the same moment, on real PostgreSQL.

READ COMMITTED lets a statement find a row by what it was and lock it as what it became. Whoever writes must ask again.
A claim that waits for its budget has its snapshot already: what is committed meanwhile is committed in between, for
certain. The two tests with many rows leave that to chance, and hold everything else beside it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import batched

import pytest
from sqlalchemy import select, text

from supportops.clock import ManualClock
from supportops.delivery import Budget, Delivery, DestinationSpec, Done, Rate
from supportops.delivery.claims import LEASE
from supportops.store import Store
from supportops.store.tables import ENGINE
from tests.support.engine import SECOND, ByHand, rows_of, store_on
from tests.support.eventually import eventually

pytestmark = [
    pytest.mark.parametrize("dialect", ["postgres"], indirect=True),
    pytest.mark.timeout(180),
]
SPEC = DestinationSpec("slack")
ROWS = 400
BITE = 200  # rows of one claim: long enough for others to commit meanwhile
ROUNDS = 2


@pytest.fixture
async def stores(app_database: str, clock: ManualClock) -> AsyncIterator[list[Store]]:
    """Four replicas."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(store_on(app_database, clock)) for _ in range(4)]


async def cancel(store: Store) -> None:
    await ByHand(store, SPEC).cancel("k")


async def finish(store: Store) -> None:
    hand = ByHand(store, SPEC)
    await hand.complete((await hand.take(), Done()))


async def take_over(store: Store) -> None:
    await ByHand(store, SPEC).take()


async def put_off(store: Store) -> None:
    await ByHand(store, SPEC).rearm("k", due_at=store.clock.now() + LEASE)


async def move(store: Store) -> None:
    await ByHand(store, SPEC).rearm("k", lane="another")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (cancel, "cancelled"),
        (finish, "done"),
        (take_over, "leased"),
        (put_off, "waiting"),
        (move, "waiting"),
    ],
)
async def test_what_is_committed_between_a_claims_look_and_its_hold_counts(
    stores: list[Store],
    change: Callable[[Store], Awaitable[None]],
    state: str,
) -> None:
    one, other, third, _ = stores
    hand = ByHand(one, DestinationSpec(SPEC.name, budget=Budget("posts", Rate(600, 60 * SECOND))))
    await hand.claim()  # the budget has its row
    await hand.schedule("k")
    async with other.transaction() as tx:
        await tx.execute(select(ENGINE.rates).with_for_update())
        claiming = asyncio.create_task(hand.claim())
        await eventually(lambda: somebody_waits(third))
        await change(third)
        token = (await rows_of(third, "k"))["k"]["token"]
    assert await claiming == []
    row = (await rows_of(third, "k"))["k"]
    assert (row["state"], row["token"]) == (state, token)


async def somebody_waits(store: Store) -> bool:
    """Whether a transaction waits for another one's lock."""
    async with store.reading() as conn:
        return bool((await conn.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar())


async def fill(store: Store, name: str) -> list[str]:
    keys = [f"{name}-{n}" for n in range(ROWS)]
    async with store.transaction() as tx:
        for key in keys:
            tx.deliveries.schedule(SPEC.name, key, lane=key, payload={})
    return keys


async def claim_all(store: Store, claimed: list[Delivery]) -> None:
    hand = ByHand(store, SPEC)
    while found := await hand.claim(limit=BITE):
        claimed += found


async def cancel_each(store: Store, keys: list[str]) -> None:
    hand = ByHand(store, SPEC)
    for key in keys:
        await hand.cancel(key)


async def complete_each(store: Store, claimed: list[Delivery]) -> None:
    hand = ByHand(store, SPEC)
    for some in batched(claimed, 3):
        await hand.complete(*((delivery, Done()) for delivery in some))


async def test_what_is_cancelled_stays_cancelled(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        keys, claimed = await fill(stores[0], str(number)), list[Delivery]()
        await asyncio.gather(
            *(claim_all(store, claimed) for store in stores[:2]),
            cancel_each(stores[2], keys[::2]),
            cancel_each(stores[3], keys[1::2]),
        )
        rows = await rows_of(stores[0], *keys)
        assert Counter(row["state"] for row in rows.values()) == {"cancelled": ROWS}
        assert max(Counter(delivery.key for delivery in claimed).values(), default=1) == 1
        await complete_each(stores[0], claimed)


async def test_what_is_done_is_not_leased_again(stores: list[Store], clock: ManualClock) -> None:
    """A worker that was frozen beyond its lease writes its answers while others take its rows over."""
    for number in range(ROUNDS):
        keys, late, again = await fill(stores[0], str(number)), list[Delivery](), list[Delivery]()
        await claim_all(stores[0], late)
        clock.advance(LEASE)
        await asyncio.gather(
            complete_each(stores[0], late), *(claim_all(store, again) for store in stores[1:3])
        )
        rows = await rows_of(stores[0], *keys)
        taken_over = {delivery.key for delivery in again}
        assert {key for key, row in rows.items() if row["state"] == "leased"} == taken_over
        assert all(rows[key]["state"] == "done" for key in keys if key not in taken_over)
        assert all(delivery.uncertain for delivery in again)  # asked about, before anything is done twice
        await complete_each(stores[0], again)
