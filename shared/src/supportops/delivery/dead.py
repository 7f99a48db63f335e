"""Dead deliveries: which there are, and trying them once more when what stood in their way is mended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, select, update

from supportops.store.engine import Store
from supportops.store.tables import ENGINE


@dataclass(frozen=True)
class Dead:
    """A delivery that was given up on: `lane` is what it is about (a ticket, a channel), `at` when that was."""

    destination: str
    key: str
    lane: str
    reason: str
    attempts: int
    at: datetime


async def given_up(store: Store, destinations: Collection[str] = ()) -> list[Dead]:
    """The dead deliveries, oldest first; of all destinations when none is named."""
    d = ENGINE.deliveries
    query = select(d).where(*_dead(destinations)).order_by(d.c.finished_at, d.c.destination, d.c.key)
    async with store.reading() as conn:
        rows = (await conn.execute(query)).all()
    return [
        Dead(
            row.destination,
            row.key,
            row.lane,
            str(orjson.loads(row.outcome or "{}").get("reason", "")),
            row.attempts,
            row.finished_at,
        )
        for row in rows
    ]


async def revive(
    store: Store, destinations: Collection[str] = (), keys: Collection[str] | None = None
) -> list[tuple[str, str]]:
    """Let dead deliveries be tried from the start; (destination, key) of those that will be. `keys` None: of all.

    They count as in doubt, so that the other side is asked whether it happened before anything is done a second time.
    """
    d = ENGINE.deliveries
    wanted = [*_dead(destinations), *([d.c.key.in_(list(keys))] if keys is not None else [])]
    async with store.transaction() as tx:
        revived = await tx.execute(
            update(d)
            .where(*wanted)
            .values(
                state="waiting",
                attempts=0,
                uncertain=True,
                generation=d.c.generation + 1,
                next_attempt_at=tx.now,
                finished_at=None,
            )
            .returning(d.c.destination, d.c.key)
        )
        found = sorted((row.destination, row.key) for row in revived)
        tx.deliveries.destinations.update(destination for destination, _ in found)  # wakes the couriers
    return found


def _dead(destinations: Collection[str]) -> list[ColumnElement[bool]]:
    """A dead row is a finished one: in those words the index by time of the end is used."""
    d = ENGINE.deliveries
    dead = [d.c.state == "dead", d.c.finished_at.is_not(None)]
    return dead + ([d.c.destination.in_(list(destinations))] if destinations else [])
