"""A lease for work that somebody starts: one holder at a time among all processes of a service.

    async with RunLease("organizations", store).held() as lease:
        ...
        await lease.renew()      # between two steps; raises Lost when another has taken it

While the block waits for somebody else's server, the lease is renewed beside it. Unlike `Periodic` it has no rhythm:
who comes second is refused, and is told who is at it and since when.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils import uuid7

from supportops.errors import Retryable
from supportops.observability.logging import get_logger
from supportops.store import Store
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into
from supportops.workers.periodic import SKEW

log = get_logger("supportops.workers")

_L = ENGINE.leases


class Busy(Retryable):
    """Somebody else holds the lease."""


class Lost(Retryable):
    """We were silent for so long that somebody else took over: stop, and write nothing more."""


class RunLease:
    """The lease `name`; a holder that is silent for `span` has died, and anybody may take over."""

    def __init__(self, name: str, store: Store, span: timedelta = timedelta(minutes=2)) -> None:
        self._name, self._store, self._span = name, store, span
        self._holder = str(uuid7())

    @asynccontextmanager
    async def held(self) -> AsyncIterator["RunLease"]:
        """Hold the lease inside the block. Raises Busy."""
        await self._take()
        keeping = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await self._set(until_now=True)

    async def renew(self) -> None:
        """Say that we are alive. Raises Lost."""
        if not await self._set(until_now=False):
            raise Lost(
                f"{self._name}: another process has taken over, since this one was silent for too long"
            )

    async def _keep(self) -> None:
        """Say so from time to time. Who has lost it, or cannot reach the database, hears it at the next step."""
        while True:
            await asyncio.sleep(self._span.total_seconds() / 4)
            try:
                if not await self._set(until_now=False):
                    return
            except (SQLAlchemyError, OSError) as error:
                log.warning("lease.not_renewed", name=self._name, reason=type(error).__name__)

    async def _take(self) -> None:
        now = self._store.clock.now()
        first = {"name": self._name, "holder": "", "until": now, "last_run_at": None}
        free = or_(_L.c.until <= now, _L.c.until > now + self._span + SKEW)
        take = update(_L).where(_L.c.name == self._name, free).returning(_L.c.name)
        async with self._store.statements() as conn:
            await conn.execute(insert_into(conn, _L).on_conflict_do_nothing(), [first])
            taken = await conn.execute(
                take.values(holder=self._holder, until=now + self._span, last_run_at=now)
            )
            if taken.first() is not None:
                return
            held = await conn.execute(select(_L.c.last_run_at).where(_L.c.name == self._name))
            since = held.scalar()
        raise Busy(f"{self._name}: another run is at it{f', since {since:%H:%M:%S} UTC' if since else ''}")

    async def _set(self, *, until_now: bool) -> bool:
        now = self._store.clock.now()
        mine = and_(_L.c.name == self._name, _L.c.holder == self._holder)
        until = now if until_now else now + self._span
        async with self._store.statements() as conn:
            written = await conn.execute(update(_L).where(mine).values(until=until).returning(_L.c.name))
            return written.first() is not None
