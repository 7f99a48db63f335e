"""Periodic jobs: any number of replicas, one of them runs the job (a lease row decides)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, update
from uuid_utils import uuid7

from supportops.observability.log_limit import LimitedWarnings
from supportops.store import Store, is_outage
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into

_log = structlog.get_logger("periodic")


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

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for the lease until `stopping`; a failed run is logged and comes again."""
        while not stopping.is_set():
            try:
                await self.run_if_due()
            except Exception as error:  # noqa: BLE001  # the one loop of periodic jobs
                self._failures.warning(
                    "periodic.failed", self._lease_name, error=str(error)[:300], outage=is_outage(error)
                )
            look_every = min(self._every, timedelta(seconds=10))
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
        """Take the lease, if the last run is long enough ago and nobody holds it."""
        leases = ENGINE.leases
        async with self._store.transaction() as tx:
            await tx.conn.execute(
                insert_into(tx.conn, leases).on_conflict_do_nothing(), [self._first_row(tx.now)]
            )
            taken = await tx.conn.execute(
                update(leases)
                .where(
                    leases.c.name == self._lease_name,
                    leases.c.until <= tx.now,
                    or_(leases.c.last_run_at.is_(None), leases.c.last_run_at <= tx.now - self._every),
                )
                .values(holder=self._holder, until=tx.now + self._lease)
                .returning(leases.c.name)
            )
            return taken.first() is not None

    async def _done(self) -> None:
        leases = ENGINE.leases
        async with self._store.transaction() as tx:
            await tx.conn.execute(
                update(leases)
                .where(leases.c.name == self._lease_name, leases.c.holder == self._holder)
                .values(until=tx.now, last_run_at=tx.now)
            )

    def _first_row(self, now: datetime) -> dict[str, object]:
        return {"name": self._lease_name, "holder": "", "until": now, "last_run_at": None}
