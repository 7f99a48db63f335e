"""How often something may be tried: per key and by all keys together, counted in the database for all replicas."""

import math
from datetime import datetime, timedelta

from sqlalchemy import update

from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE, THROTTLES
from supportops.store.upsert import insert_into

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SKEW = timedelta(seconds=5)  # by which clocks of replicas may differ
LONGEST_KEY = 200

_rates = ENGINE.rates


class Throttle:
    """Counts what is tried under `name`: `per_minute` for each key, `all_together` for all of them (None: no limit).

    A row of `rates` per key says when the key is even again (GCRA: after a burst of `per_minute`, one more for each
    part of a minute that passes). What is refused is not counted, so that a flood does not make anybody wait longer.
    No key is ever even later than in a minute: a moment further ahead is of a clock that was wrong, and binds nobody.
    """

    def __init__(self, store: Store, name: str, per_minute: int, all_together: int | None = None) -> None:
        self._store = store
        self._name = name
        self._per_minute = per_minute
        self._all_together = all_together

    async def wait_before(self, key: str, *, alone: bool = False) -> int:
        """Count one try of `key`: 0 when it may be made, else the seconds to wait before the next.

        `alone`: neither held up by what all others try, nor counted with them.
        """
        async with self._store.transaction() as tx:
            wait = await self._take(tx, f":{key[:LONGEST_KEY]}", self._per_minute)
            if not wait and not alone and self._all_together is not None:
                wait = await self._take(tx, "", self._all_together)
            return wait

    async def _take(self, tx: Transaction, key: str, per_minute: int) -> int:
        name = f"{THROTTLES}{self._name}{key}"
        first = insert_into(tx.conn, _rates).values(name=name, free_at=tx.now)
        lock = first.on_conflict_do_update(index_elements=["name"], set_={"free_at": _rates.c.free_at})
        held: datetime = (await tx.conn.execute(lock.returning(_rates.c.free_at))).scalar_one()
        even_at = max(held, tx.now) if held <= tx.now + MINUTE + SKEW else tx.now
        step = MINUTE / per_minute
        early = even_at - tx.now - step * (per_minute - 1)
        if early > timedelta():
            return math.ceil(early / SECOND)
        await tx.conn.execute(update(_rates).where(_rates.c.name == name).values(free_at=even_at + step))
        return 0
