"""The courier: claims due deliveries, calls their destinations, writes what came of it (design §4).

One loop per process. It sleeps until the next due row, at most a second, and is woken by this process's commits.
Outcomes are settled in groups: one transaction for many rows, with everything that follows from them.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched

import structlog
from sqlalchemy import func, select, update

from supportops.errors import DestinationPaused
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.tables import ENGINE, active
from supportops.workers.claims import LEASE, claim
from supportops.workers.destination import Delivery, Destination, Outcome
from supportops.workers.retry import decide
from supportops.workers.settle import Settled, Settler
from supportops.workers.wake import listen

LOOK_AT_LEAST = timedelta(seconds=1)
RENEW_EVERY = LEASE / 3
AHEAD = 4  # times a destination's concurrency that may be claimed and not settled: claims and calls overlap
_log = structlog.get_logger("courier")


class Courier:
    """Delivers for the given destinations until it is told to stop; calls in flight are finished first."""

    name = "courier"

    def __init__(self, store: Store, destinations: Sequence[Destination], metrics: Recorder) -> None:
        self._store = store
        self._destinations = {destination.spec.name: destination for destination in destinations}
        self._metrics = metrics
        self._settler = Settler(store, metrics)
        self._in_hand: dict[str, int] = dict.fromkeys(self._destinations, 0)
        self._calls = {name: asyncio.Semaphore(d.spec.concurrency) for name, d in self._destinations.items()}
        self._tokens: dict[str, int] = {}
        self._wake = asyncio.Event()
        store.on_deliveries(lambda _destinations: self._wake.set())

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; returns when the calls in flight are settled."""
        async with asyncio.TaskGroup() as group:
            settling = group.create_task(self._settler.run())
            renewing = group.create_task(self._renew_leases())
            listening = group.create_task(listen(self._store, self._wake.set))
            async with asyncio.TaskGroup() as calls:
                await self._loop(stopping, calls)
            renewing.cancel()
            listening.cancel()
            await self._settler.drain()
            settling.cancel()

    async def _loop(self, stopping: asyncio.Event, calls: asyncio.TaskGroup) -> None:
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            self._wake.clear()
            try:
                look_again_at = await self._claim_all(calls)
            except Exception as error:  # noqa: BLE001  # the one loop: an outage waits, a bug of ours is loud and must not kill it
                _log.warning("claim.failed", error=str(error), outage=is_outage(error))
                look_again_at = self._store.clock.now() + LOOK_AT_LEAST
            await self._sleep(look_again_at, stop)
        stop.cancel()

    async def _sleep(self, until: datetime | None, stop: asyncio.Task[bool]) -> None:
        wait = LOOK_AT_LEAST if until is None else min(until - self._store.clock.now(), LOOK_AT_LEAST)
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait(
            (woken, stop), timeout=max(0.0, wait.total_seconds()), return_when="FIRST_COMPLETED"
        )
        woken.cancel()

    async def _claim_all(self, calls: asyncio.TaskGroup) -> datetime | None:
        """Claim for every destination that has something due and a free slot; when to look again."""
        moments: list[datetime] = []
        for name, (first, upcoming) in (await self._peek()).items():
            moments += [upcoming] if upcoming else []
            if first is not None and first <= self._store.clock.now():
                again = await self._claim(self._destinations[name], calls)
                moments += [again] if again else []
        return min(moments, default=None)

    async def _peek(self) -> dict[str, tuple[datetime | None, datetime | None]]:
        """Per destination the first moment that a row waits for, and the first in the future; one query."""
        now, d = self._store.clock.now(), ENGINE.deliveries
        columns = []
        for name in self._destinations:
            mine = select(func.min(d.c.next_attempt_at)).where(d.c.destination == name, active(d))
            columns += [mine.scalar_subquery(), mine.where(d.c.next_attempt_at > now).scalar_subquery()]
        async with self._store.reading() as conn:
            row = (await conn.execute(select(*columns))).one()
        return {name: (row[2 * n], row[2 * n + 1]) for n, name in enumerate(self._destinations)}

    async def _claim(self, destination: Destination, calls: asyncio.TaskGroup) -> datetime | None:
        spec = destination.spec
        room = AHEAD * spec.concurrency - self._in_hand[spec.name]
        if room < spec.concurrency:
            return None  # a settled call wakes us
        async with self._store.transaction() as tx:
            claimed = await claim(tx, spec, spec.batch * room)
        for batch in batched(claimed.deliveries, spec.batch):
            self._in_hand[spec.name] += 1
            self._tokens[batch[0].token] = self._tokens.get(batch[0].token, 0) + 1
            calls.create_task(self._call(destination, batch))
        return claimed.look_again_at

    async def _call(self, destination: Destination, batch: Sequence[Delivery]) -> None:
        """One call, its outcomes settled; nothing escapes: an error is an outcome as well."""
        spec = destination.spec
        try:
            async with self._calls[spec.name]:
                started = self._store.clock.now()
                outcomes, paused = await self._outcomes(destination, batch)
                took = self._store.clock.now() - started
            pairs = zip(batch, outcomes, strict=True)
            await self._settler.settle(
                [Settled(d, outcome, spec, started, took, paused) for d, outcome in pairs]
            )
        finally:
            self._in_hand[spec.name] -= 1
            self._release(batch[0].token)
            self._wake.set()

    async def _outcomes(
        self, destination: Destination, batch: Sequence[Delivery]
    ) -> tuple[list[Outcome], timedelta | None]:
        try:
            async with asyncio.timeout(destination.spec.timeout.total_seconds()):
                return await _ask_then_deliver(destination, batch), None
        except Exception as error:  # noqa: BLE001  # every error becomes an outcome, by the table in retry.py
            outcome = decide(error)
            paused = getattr(outcome, "after", None) if isinstance(error, DestinationPaused) else None
            return [outcome] * len(batch), paused

    def _release(self, token: str) -> None:
        self._tokens[token] -= 1
        if not self._tokens[token]:
            del self._tokens[token]

    async def _renew_leases(self) -> None:
        """Keep the rows in flight ours; when that fails the final write finds out whether they still are."""
        while True:
            await asyncio.sleep(RENEW_EVERY.total_seconds())
            if not self._tokens:
                continue
            with contextlib.suppress(TimeoutError):
                await self._renew(list(self._tokens))

    async def _renew(self, tokens: list[str]) -> None:
        d, until = ENGINE.deliveries, self._store.clock.now() + LEASE
        mine = update(d).where(d.c.token.in_(tokens), d.c.state == "leased")
        try:
            async with self._store.transaction() as tx:
                await tx.conn.execute(mine.values(lease_until=until, next_attempt_at=until))
        except Exception as error:  # noqa: BLE001  # the loop goes on; whose the rows are is decided at the final write
            _log.warning("lease.renewal_failed", error=str(error))


async def _ask_then_deliver(destination: Destination, batch: Sequence[Delivery]) -> list[Outcome]:
    """Ask "did it happen?" for rows of unknown outcome, then make the call for the rest."""
    known: dict[str, Outcome] = {}
    for delivery in batch:
        if delivery.uncertain and (outcome := await destination.did_it_happen(delivery)) is not None:
            known[delivery.id] = outcome
    rest = [delivery for delivery in batch if delivery.id not in known]
    if rest:
        outcomes = await destination.deliver(rest)
        known |= {delivery.id: outcome for delivery, outcome in zip(rest, outcomes, strict=True)}
    return [known[delivery.id] for delivery in batch]
