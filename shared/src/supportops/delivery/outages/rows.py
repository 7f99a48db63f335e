"""Breakers in the database: a row per destination that something is or was wrong with, shared by all replicas."""

from dataclasses import asdict
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Row, Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.delivery.outages.breaker import Breaker
from supportops.delivery.signs import Sign
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_for

_B = ENGINE.breakers


async def breaker_of(store: Store, destination: str) -> Breaker:
    """The breaker of a destination; closed where nothing ever was wrong."""
    async with store.reading() as conn:
        row = (await conn.execute(_ONE, {"name": destination})).first()
    return Breaker(destination) if row is None else _breaker(row)


async def breakers_of(store: Store) -> list[Breaker]:
    """All that there are rows for, by destination."""
    async with store.reading() as conn:
        return [_breaker(row) for row in await conn.execute(select(_B).order_by(_B.c.destination))]


async def resume(store: Store, destination: str) -> Breaker | None:
    """Close the breaker of a destination by hand, whatever it was opened for; what it was, None when it was closed."""
    async with store.transaction() as tx:
        breaker = await lock_if_free(tx.conn, destination, wait=True)
        if breaker is None or not (breaker.is_open or breaker.refusals or breaker.run):
            return None
        await save(tx, Breaker(destination, changed_at=tx.now))
        tx.deliveries.destinations.add(destination)  # wakes the couriers
    return breaker


async def lock(tx: Transaction, destination: str) -> Breaker:
    """The breaker, locked until the transaction ends; made when there was none."""
    fresh = _values(Breaker(destination, changed_at=tx.now))
    await tx.conn.execute(_first_use(tx.conn.dialect.name), [fresh])
    return _breaker((await tx.conn.execute(_LOCKED, {"name": destination})).one())


async def lock_if_free(conn: AsyncConnection, destination: str, *, wait: bool = False) -> Breaker | None:
    """The breaker, locked; None when there is none, or (unless told to wait) somebody holds it."""
    row = (await conn.execute(_LOCKED if wait else _FREE, {"name": destination})).first()
    return None if row is None else _breaker(row)


async def save(tx: Transaction, breaker: Breaker) -> None:
    """Write a breaker that is locked."""
    values = {f"b_{name}": value for name, value in _values(breaker).items()}
    await tx.conn.execute(_SAVE, values)


def _select() -> Select[Any]:
    return select(_B).where(_B.c.destination == bindparam("name"))


_ONE = _select()
_LOCKED = _select().with_for_update()
_FREE = _select().with_for_update(skip_locked=True)
_SAVE = (
    update(_B)
    .where(_B.c.destination == bindparam("b_destination"))
    .values({name: bindparam(f"b_{name}") for name in _B.c.keys() if name != "destination"})  # noqa: SIM118
)


@cache
def _first_use(dialect: str) -> Any:
    return insert_for(dialect, _B).on_conflict_do_nothing()


def _values(breaker: Breaker) -> dict[str, Any]:
    values = asdict(breaker)
    cause = None if breaker.cause is None else breaker.cause.value
    return values | {"failing": orjson.dumps(breaker.failing).decode(), "cause": cause}


def _breaker(row: Row[Any]) -> Breaker:
    cause = None if row.cause is None else Sign(row.cause)
    return Breaker(**row._asdict() | {"failing": tuple(orjson.loads(row.failing)), "cause": cause})
