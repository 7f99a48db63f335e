"""The courier: claims due deliveries, calls their destinations, writes what came of it.

One loop per process. It sleeps until the next due row, at most a second, and is woken by this process's commits.
Outcomes are settled in groups: one transaction for many rows, with everything that follows from them.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

import structlog
from sqlalchemy import Select, bindparam, case, func, literal, select, update

from supportops.delivery.attempt import NOT_STARTED, call
from supportops.delivery.claims import LEASE, claim
from supportops.delivery.completer import Completer, Settled
from supportops.delivery.destination import Delivery, Destination, demand_an_answer_to_doubt
from supportops.delivery.notifications import listen
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.tables import ENGINE, active, waiting

LOOK_AT_LEAST = timedelta(seconds=1)
CHECK_AFTER = timedelta(seconds=1)  # rows claimed longer ago are looked at again before they are called
AHEAD = 4  # times a destination's concurrency that may be claimed and not settled: claims and calls overlap
_log = structlog.get_logger("courier")


class Courier:
    """Delivers for the given destinations until it is told to stop; calls in flight are finished first."""

    name = "courier"

    def __init__(
        self,
        store: Store,
        destinations: Sequence[Destination],
        metrics: Recorder,
        *,
        renew_every: timedelta = LEASE / 3,
    ) -> None:
        for destination in destinations:
            demand_an_answer_to_doubt(destination)
        self._store = store
        self._destinations = {destination.spec.name: destination for destination in destinations}
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._settler = Completer(store, metrics, on_waiting=self._wake.set)
        self._in_hand: dict[str, int] = dict.fromkeys(self._destinations, 0)
        self._calls = {name: asyncio.Semaphore(d.spec.concurrency) for name, d in self._destinations.items()}
        self._ended = dict.fromkeys(self._destinations, 0)  # calls
        self._more = dict.fromkeys(self._destinations, False)  # due rows that wait for the end of a call
        self._tokens: dict[str, int] = {}
        self._renew_every = renew_every
        self._stopping = asyncio.Event()
        self._peeking = _peeking(tuple(self._destinations))
        store.on_deliveries(lambda _destinations: self._wake.set())

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; returns when the calls in flight are settled. What was not begun is handed back."""
        self._stopping = stopping
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
        if self._settler.behind:
            return None  # what we know goes first: else our own unwritten answers would be claimed again
        moments: list[datetime] = []
        for name, (first, upcoming) in (await self._peek()).items():
            moments += [upcoming] if upcoming else []
            if first is not None and first <= self._store.clock.now():
                again = await self._claim(self._destinations[name], calls)
                moments += [again] if again else []
        return min(moments, default=None)

    async def _peek(self) -> dict[str, tuple[datetime | None, datetime | None]]:
        """Per destination the first moment that a row waits for, and the first in the future; one query."""
        async with self._store.reading() as conn:
            row = (await conn.execute(self._peeking, {"now": self._store.clock.now()})).one()
        return {name: (row[2 * n], row[2 * n + 1]) for n, name in enumerate(self._destinations)}

    async def _claim(self, destination: Destination, calls: asyncio.TaskGroup) -> datetime | None:
        spec = destination.spec
        room = AHEAD * spec.concurrency - self._in_hand[spec.name]
        if room < spec.concurrency:
            self._more[spec.name] = True
            return None  # a settled call wakes us
        ended = self._ended[spec.name]
        async with self._store.transaction() as tx:
            claimed = await claim(tx, spec, spec.batch * room)
        self._more[spec.name] = claimed.more
        if claimed.more and self._ended[spec.name] != ended:
            self._wake.set()  # what we were to wait for has happened meanwhile
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
                wanted = await self._still_wanted(batch, started)
                answers = await call(destination, wanted)
                took = self._store.clock.now() - started
            known = {d.id: outcome for d, outcome in zip(wanted, answers.outcomes, strict=True)}
            outcomes = [(d, known.get(d.id, NOT_STARTED)) for d in batch]
            await self._settler.settle(
                [Settled(d, outcome, spec, started, took, answers.paused) for d, outcome in outcomes]
            )
        finally:
            self._in_hand[spec.name] -= 1
            self._release(batch[0].token)
            self._ended[spec.name] += 1
            if self._more[spec.name]:
                self._wake.set()

    async def _still_wanted(self, batch: Sequence[Delivery], now: datetime) -> Sequence[Delivery]:
        """Those of a batch that are to be called now that a call is free; the others are handed back.

        What waited for long may have been cancelled or re-armed, or (we were frozen) be somebody else's by now. When
        we are stopping, what has not begun is left for whoever comes after us.
        """
        if self._stopping.is_set():
            return []
        if now - batch[0].claimed_at < CHECK_AFTER:
            return batch
        d = ENGINE.deliveries
        ours = select(d.c.id, d.c.generation).where(
            d.c.id.in_([delivery.id for delivery in batch]),
            d.c.token == batch[0].token,
            d.c.lease_until > now,
            active(d),
        )
        try:
            async with self._store.reading() as conn:
                found = {(row.id, row.generation) for row in await conn.execute(ours)}
        except Exception as error:  # noqa: BLE001  # not called then; the settler waits for the database
            _log.warning("call.not_checked", error=str(error), outage=is_outage(error))
            return []
        return [delivery for delivery in batch if (delivery.id, delivery.generation) in found]

    def _release(self, token: str) -> None:
        self._tokens[token] -= 1
        if not self._tokens[token]:
            del self._tokens[token]

    async def _renew_leases(self) -> None:
        """Keep the rows in flight ours; when that fails the final write finds out whether they still are."""
        while True:
            await asyncio.sleep(self._renew_every.total_seconds())
            if not self._tokens:
                continue
            with contextlib.suppress(TimeoutError):
                await self._renew(list(self._tokens))

    async def _renew(self, tokens: list[str]) -> None:
        d, until = ENGINE.deliveries, self._store.clock.now() + LEASE
        mine = update(d).where(d.c.token.in_(tokens), d.c.lease_until.is_not(None))
        not_before = case(
            (d.c.due_at > until, d.c.due_at), else_=literal(until, d.c.due_at.type)
        )  # re-armed meanwhile
        try:
            async with self._store.transaction() as tx:
                await tx.conn.execute(mine.values(lease_until=until, next_attempt_at=not_before))
        except Exception as error:  # noqa: BLE001  # the loop goes on; whose the rows are is decided at the final write
            _log.warning("lease.renewal_failed", error=str(error))


def _peeking(destinations: Sequence[str]) -> Select[Any]:
    """One row: for each destination the first moment that a row waits for, and the first after `now`."""
    d = ENGINE.deliveries
    later = d.c.next_attempt_at > bindparam("now", type_=d.c.due_at.type)
    columns = []
    for name in destinations:
        mine = select(func.min(d.c.next_attempt_at)).where(d.c.destination == name, waiting(d))
        columns += [mine.scalar_subquery(), mine.where(later).scalar_subquery()]
    return select(*columns)
