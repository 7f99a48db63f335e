"""What operators do to deliveries: try dead ones once more when what stood in their way is mended, cancel open ones."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select, update

from supportops.delivery.listing import ACTIVE, DeliveryFilter
from supportops.store.engine import Store
from supportops.store.lanes import Lane
from supportops.store.tables import ENGINE

DEAD = DeliveryFilter(states=("dead",))
PAGE = 500  # rows cancelled in one transaction


async def revive(store: Store, wanted: DeliveryFilter = DEAD, *, ask: bool = True) -> list[tuple[str, str]]:
    """Let the dead ones among `wanted` be tried from the start; (destination, key) of those that will be.

    They count as in doubt, so that the other side is asked whether it happened before anything is done a second time;
    not with `ask=False`, for whoever has looked there and knows that it did not.
    """
    d = ENGINE.deliveries
    dead = replace(wanted, states=("dead",))
    async with store.transaction() as tx:
        revived = await tx.execute(
            update(d)
            .where(*dead.conditions())
            .values(
                state="waiting",
                attempts=0,
                uncertain=ask,
                generation=d.c.generation + 1,
                next_attempt_at=tx.now,
                finished_at=None,
            )
            .returning(d.c.destination, d.c.key, d.c.lane)
        )
        rows = revived.all()
        for row in rows:
            tx.deliveries.may_be_claimed(Lane(row.destination, row.lane), tx.now)
    return sorted((row.destination, row.key) for row in rows)


async def cancel(store: Store, wanted: DeliveryFilter, reason: str) -> list[tuple[str, str]]:
    """Make sure that the open ones among `wanted` are not started any more; (destination, key) of those.

    The way of a handler's cancel: it raises the generation, so that a worker that holds one records what it did and
    changes nothing else. `reason` is kept with the row.
    """
    cancelled: list[tuple[str, str]] = []
    while page := await _cancel_page(store, replace(wanted, states=ACTIVE), reason):
        cancelled += page
    return sorted(cancelled)


async def _cancel_page(store: Store, wanted: DeliveryFilter, reason: str) -> Collection[tuple[str, str]]:
    d = ENGINE.deliveries
    query = select(d.c.destination, d.c.key).where(*wanted.conditions()).order_by(d.c.id).limit(PAGE)
    query = query.with_for_update()  # so that what is told as cancelled was open until now
    async with store.transaction() as tx:
        found = [(row.destination, row.key) for row in (await tx.execute(query)).all()]
        for destination, key in found:
            tx.deliveries.cancel(destination, key, reason=reason)
    return found
