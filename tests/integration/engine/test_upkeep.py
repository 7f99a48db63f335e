"""What a courier puts right by itself: rows without a lane, moments that a wrong clock has written."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from supportops.clock import ManualClock
from supportops.delivery import DestinationSpec, Rate, TryAgain
from supportops.delivery.upkeep import upkeep
from supportops.store import Store
from supportops.store.tables import ENGINE
from tests.support.engine import SECOND, ByHand

DAY = timedelta(days=1)
SPEC = DestinationSpec("slack", lane_pace=Rate(1, SECOND))


async def test_rows_that_an_earlier_version_wrote_are_given_a_lane(store: Store) -> None:
    hand = ByHand(store, SPEC)
    await hand.schedule("k")
    async with store.transaction() as tx:
        await tx.execute(delete(ENGINE.lanes))
    assert await hand.claim() == []
    await upkeep(store)
    assert (await hand.take()).key == "k"


async def test_leases_waits_and_paces_of_a_clock_that_was_a_day_ahead_end_now(
    store: Store, clock: ManualClock
) -> None:
    hand = ByHand(store, SPEC)
    for key, lane in (("leased", "a"), ("waits", "b"), ("behind a pace", "b")):
        await hand.schedule(key, lane=lane)
    clock.advance(DAY)
    taken = {delivery.key: delivery for delivery in await hand.claim()}
    await hand.complete((taken["waits"], TryAgain(None, "503")))
    clock.advance(-DAY)
    assert await hand.claim() == []
    await upkeep(store)
    assert sorted(delivery.key for delivery in await hand.claim()) == ["leased", "waits"]


async def test_what_is_due_tomorrow_and_what_was_put_off_stays_so(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, SPEC)
    await hand.schedule("tomorrow", due_at=clock.now() + DAY)
    await hand.schedule("failed")
    await hand.complete((await hand.take(), TryAgain(timedelta(hours=6), "503")))
    await upkeep(store)
    assert await hand.claim() == []


@pytest.mark.parametrize("ahead", [timedelta(hours=1), DAY])
async def test_what_was_to_be_done_at_once_is_not_put_off_by_a_clock_that_was_ahead(
    store: Store, clock: ManualClock, ahead: timedelta
) -> None:
    hand = ByHand(store, SPEC)
    clock.advance(ahead)
    await hand.schedule("at once")
    await hand.schedule("at a time", due_at=clock.now() + SECOND)
    clock.advance(-ahead)
    assert await hand.claim() == []
    await upkeep(store)
    assert [delivery.key for delivery in await hand.claim()] == ["at once"]
