"""Periodic jobs: any number of replicas, one of them runs the job (a lease row decides)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import or_, update
from uuid_utils import uuid7

from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.store import Store, is_outage
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into

LOOK_EVERY = timedelta(seconds=10)
SKEW = timedelta(seconds=5)  # by which clocks of replicas may differ
_L = ENGINE.leases
_log = get_logger("supportops.periodic")


class Periodic:
    """Runs `job` every `every`, in one process at a time.

    `lease` bounds how long a dead holder keeps the others waiting; a job that takes longer must be safe to run twice.
    """

    def __init__(self, name: str, store: Store, job: Callable[[], Awaitable[None]], every: timedelta) -> None:
        self.name = f"periodic:{name}"
        self._lease_name = name
        self._store = store
        self._job = job
        self._every = every
        self._lease = max(every, timedelta(minutes=5))
        self._holder = str(uuid7())
        self._failures = LimitedWarnings(_log)
        self._known = False  # the lease's row is there

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for the lease until `stopping`; a failed run is logged and comes again."""
        while not stopping.is_set():
            try:
                await self.run_if_due()
            except Exception as error:  # noqa: BLE001  # the one loop of periodic jobs
                self._failures.warning(
                    "periodic.failed", self._lease_name, error=str(error)[:300], outage=is_outage(error)
                )
            look_every = min(self._every, LOOK_EVERY if self._every < 10 * LOOK_EVERY else 3 * LOOK_EVERY)
            try:
                async with asyncio.timeout(look_every.total_seconds()):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def run_if_due(self) -> bool:
        """Run the job now if it is time and nobody else does; raises what the job raises."""
        if not await self._due():
            return False
        await self._job()
        await self._done()
        return True

    async def _due(self) -> bool:
        """Take the lease, if the last run is long enough ago and nobody holds it: one statement.

        Moments that lie further ahead than this clock allows were written by one that was wrong, and bind nobody.
        """
        if not self._known:
            await self._make_row()
        now = self._store.clock.now()
        free = or_(_L.c.until <= now, _L.c.until > now + self._lease + SKEW)
        last = _L.c.last_run_at
        due = or_(last.is_(None), last <= now - self._every, last > now + SKEW)
        take = update(_L).where(_L.c.name == self._lease_name, free, due)
        async with self._store.statements() as conn:
            taken = await conn.execute(
                take.values(holder=self._holder, until=now + self._lease).returning(_L.c.name)
            )
            return taken.first() is not None

    async def _done(self) -> None:
        now = self._store.clock.now()
        mine = (_L.c.name == self._lease_name, _L.c.holder == self._holder)
        async with self._store.statements() as conn:
            await conn.execute(update(_L).where(*mine).values(until=now, last_run_at=now))

    async def _make_row(self) -> None:
        now = self._store.clock.now()
        first = {"name": self._lease_name, "holder": "", "until": now, "last_run_at": None}
        async with self._store.statements() as conn:
            await conn.execute(insert_into(conn, _L).on_conflict_do_nothing(), [first])
        self._known = True
