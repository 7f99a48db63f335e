"""Sessions that ended by a log-out or by the next login: a copy of their cookie opens nothing, on no replica."""

from datetime import timedelta

from sqlalchemy import select

from supportops.store import Store
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into

_ended = ENGINE.ended_sessions


class EndedSessions:
    """The rows of `ended_sessions`; each is needed until its cookie would have been too old anyway (`lifetime`)."""

    def __init__(self, store: Store, lifetime: timedelta) -> None:
        self._store = store
        self._lifetime = lifetime

    async def end(self, holder: str) -> None:
        """This session is over, from the commit on."""
        async with self._store.transaction() as tx:
            row = {"holder": holder, "ended_at": tx.now, "forget_at": tx.now + self._lifetime}
            await tx.execute(insert_into(tx.conn, _ended).values(row).on_conflict_do_nothing())

    async def has(self, holder: str, replaced: str = "") -> bool:
        """Whether this session is over. `replaced`, which it has taken the place of, is from now on."""
        asked = [each for each in (holder, replaced) if each]
        async with self._store.reading() as conn:
            over = set(
                (await conn.execute(select(_ended.c.holder).where(_ended.c.holder.in_(asked)))).scalars()
            )
        if holder in over:
            return True
        if replaced and replaced not in over:
            await self.end(replaced)
        return False
