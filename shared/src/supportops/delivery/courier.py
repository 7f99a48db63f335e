"""The courier: claims due deliveries, calls their destinations, writes what came of it.

One loop per process. It knows for each destination when it is worth a claim: from a look at all of them once a second,
from each claim, and from this process's commits and final writes, which wake it.
Outcomes are completed in groups: one transaction for many rows, with everything that follows from them.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from sqlalchemy import Select, case, func, literal, select, update

from supportops.delivery.attempt import UNTOUCHED, call
from supportops.delivery.claims import LEASE, Claim, claim
from supportops.delivery.completer import Completer
from supportops.delivery.destination import Delivery, Destination, demand_an_answer_to_doubt
from supportops.delivery.final_write import Completed
from supportops.delivery.notifications import listen
from supportops.delivery.outages.breaker import Breaker
from supportops.delivery.upkeep import keep_up
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.lanes import Lane, hold
from supportops.store.tables import ENGINE, active

LOOK_AT_LEAST = timedelta(seconds=1)
CHECK_AFTER = timedelta(seconds=1)  # rows claimed longer ago are looked at again before they are called
AHEAD = 4  # times a destination's concurrency that may be claimed and not completed: claims and calls overlap
_log = get_logger("supportops.courier")


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
        self._due: dict[str, datetime] = {}  # when each destination is worth a claim, as far as we know
        self._look_at: datetime | None = None  # when all destinations are looked at again; None: now
        self._spent: dict[
            str, tuple[datetime, datetime]
        ] = {}  # a budget that was asked then gives nothing before
        self._broken: set[str] = set()  # destinations whose breaker we saw open
        self._completer = Completer(store, metrics, on_waiting=self._expect, on_breaker=self._hear_of_breaker)
        self._in_hand: dict[str, int] = dict.fromkeys(self._destinations, 0)
        self._calls = {name: asyncio.Semaphore(d.spec.concurrency) for name, d in self._destinations.items()}
        self._ended = dict.fromkeys(self._destinations, 0)  # calls
        self._more = dict.fromkeys(self._destinations, False)  # due rows that wait for the end of a call
        self._tokens: dict[str, int] = {}
        self._renew_every = renew_every
        self._stopping = asyncio.Event()
        self._failures = LimitedWarnings(_log)
        self._looking = _looking(tuple(self._destinations))
        store.on_deliveries(self._hear_of)

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of the destinations that it delivers to."""
        return tuple(self._destinations)

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; returns when the calls in flight are completed. What was not begun is handed back."""
        self._stopping = stopping
        async with asyncio.TaskGroup() as group:
            completing = group.create_task(self._completer.run())
            renewing = group.create_task(self._renew_leases())
            keeping = group.create_task(keep_up(self._store))
            listening = group.create_task(listen(self._store, self._hear_of))
            async with asyncio.TaskGroup() as calls:
                await self._loop(stopping, calls)
            renewing.cancel()
            listening.cancel()
            keeping.cancel()
            await self._completer.drain()
            completing.cancel()

    async def _loop(self, stopping: asyncio.Event, calls: asyncio.TaskGroup) -> None:
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            self._wake.clear()
            try:
                look_again_at = await self._claim_all(calls)
            except Exception as error:  # noqa: BLE001  # the one loop: an outage waits, a bug of ours is loud and must not kill it
                self._failures.warning("claim.failed", "claim", error=str(error), outage=is_outage(error))
                look_again_at = self._store.clock.now() + LOOK_AT_LEAST
            await self._sleep(look_again_at, stop)
        stop.cancel()

    async def _sleep(self, until: datetime, stop: asyncio.Task[bool]) -> None:
        wait = min(until - self._store.clock.now(), LOOK_AT_LEAST)
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait(
            (woken, stop), timeout=max(0.0, wait.total_seconds()), return_when="FIRST_COMPLETED"
        )
        woken.cancel()

    def _hear_of(self, destinations: Collection[str]) -> None:
        """A commit of this process touched deliveries: each is worth a claim, which also tells when the next one is."""
        self._expect(dict.fromkeys(destinations, self._store.clock.now()))

    def _expect(self, moments: Mapping[str, datetime]) -> None:
        """Destinations are worth a claim at these moments, if not sooner."""
        for name, moment in moments.items():
            if name in self._destinations:
                worth_it = self._not_before_the_budget(name, moment)
                self._due[name] = min(worth_it, self._due.get(name, worth_it))
                self._wake.set()

    def _not_before_the_budget(self, name: str, moment: datetime) -> datetime:
        """Others may take more of a budget meanwhile and give nothing back; after a clock was put back it is asked."""
        asked_at, more_at = self._spent.get(name, (moment, moment))
        return max(moment, more_at) if asked_at <= self._store.clock.now() else moment

    def _hear_of_breaker(self, breaker: Breaker) -> None:
        if breaker.is_open:
            self._broken.add(breaker.destination)
        else:
            self._broken.discard(breaker.destination)
            self._hear_of([breaker.destination])  # the backlog flows

    async def _claim_all(self, calls: asyncio.TaskGroup) -> datetime:
        """Claim for every destination that has something due and a free slot; when to look again."""
        now = self._store.clock.now()
        if self._completer.behind:
            return now + LOOK_AT_LEAST  # what we know goes first: else our own answers would be claimed again
        if self._look_at is None or not now < self._look_at <= now + LOOK_AT_LEAST:
            self._look_at = now + LOOK_AT_LEAST
            self._due = {}  # what is heard of meanwhile is not lost
            self._expect(await self._look())
        for name in [name for name, moment in self._due.items() if moment <= now]:
            await self._claim(self._destinations[name], calls)
        return min([self._look_at, *self._due.values()])

    async def _look(self) -> dict[str, datetime]:
        """When each destination that has anything waiting is worth a claim; one query."""
        async with self._store.reading() as conn:
            row = (await conn.execute(self._looking)).one()
        return {name: row[n] for n, name in enumerate(self._destinations) if row[n] is not None}

    async def _claim(self, destination: Destination, calls: asyncio.TaskGroup) -> None:
        spec = destination.spec
        due = self._due.pop(spec.name)
        room = AHEAD * spec.concurrency - self._in_hand[spec.name]
        if room < spec.concurrency:
            self._more[spec.name] = True
            return  # a call that ends wakes us
        ended = self._ended[spec.name]
        try:
            claimed = await claim(self._store, spec, spec.batch * room)
        except BaseException:
            self._due[spec.name] = due
            raise
        self._more[spec.name] = claimed.more
        self._spent.pop(spec.name, None)
        if claimed.spent is not None:
            self._spent[spec.name] = self._store.clock.now(), claimed.spent
        if not claimed.troubled:
            self._broken.discard(spec.name)
        if claimed.look_again_at is not None:
            self._expect({spec.name: claimed.look_again_at})
        if claimed.more and (self._ended[spec.name] != ended or not claimed.deliveries):
            self._hear_of([spec.name])  # what we were to wait for has happened meanwhile
        for batch in batched(claimed.deliveries, spec.batch):
            self._in_hand[spec.name] += 1
            self._tokens[batch[0].token] = self._tokens.get(batch[0].token, 0) + 1
            calls.create_task(self._call(destination, batch, claimed))

    async def _call(self, destination: Destination, batch: Sequence[Delivery], lease: Claim) -> None:
        """One call, its outcomes completed; nothing escapes: an error is an outcome as well."""
        spec = destination.spec
        try:
            async with self._calls[spec.name]:
                started = self._store.clock.now()
                wanted = await self._still_wanted(batch, started, lease)
                ended = await call(destination, wanted)
                took = self._store.clock.now() - started
                known = {delivery.id: each for delivery, each in zip(wanted, ended, strict=True)}
                mine = [(delivery, known.get(delivery.id, UNTOUCHED)) for delivery in batch]
                completed = [
                    Completed(d, each.outcome, spec, started, took, each.signal, lease.probe, lease.troubled)
                    for d, each in mine
                ]
                if any(row.is_trouble for row in completed):
                    await self._completer.complete(completed)  # known to the breaker before the next call
                    return
            await self._completer.complete(completed)
        finally:
            self._in_hand[spec.name] -= 1
            self._release(batch[0].token)
            self._ended[spec.name] += 1
            if self._more[spec.name]:
                self._hear_of([spec.name])

    async def _still_wanted(
        self, batch: Sequence[Delivery], now: datetime, lease: Claim
    ) -> Sequence[Delivery]:
        """Those of a batch that are to be called now that a call is free; the others are handed back.

        What waited for long may have been cancelled or re-armed, or (we were frozen) be somebody else's by now. When
        we are stopping, what has not begun is left for whoever comes after us; when the destination's breaker has
        opened meanwhile, for the time when it is closed.
        """
        if self._stopping.is_set() or (batch[0].destination in self._broken and not lease.probe):
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
        except Exception as error:  # noqa: BLE001  # not called then; the completer waits for the database
            self._failures.warning("call.not_checked", "database", error=str(error), outage=is_outage(error))
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
        """Rows first, lanes then, as in every transaction. A row that was re-armed keeps its time."""
        until = self._store.clock.now() + LEASE
        mine = _D.c.token.in_(tokens), _D.c.lease_until.is_not(None)
        not_before = case((_D.c.due_at > until, _D.c.due_at), else_=literal(until, _D.c.due_at.type))
        rows = update(_D).where(*mine).values(lease_until=until, next_attempt_at=not_before)
        try:
            async with self._store.transaction() as tx:
                held = await tx.conn.execute(rows.returning(_D.c.destination, _D.c.lane))
                await hold(tx.conn, {Lane(row.destination, row.lane) for row in held}, until)
        except Exception as error:  # noqa: BLE001  # the loop goes on; whose the rows are is decided at the final write
            self._failures.warning("lease.renewal_failed", "renewal", error=str(error))


_D = ENGINE.deliveries


def _looking(destinations: Sequence[str]) -> Select[Any]:
    """One row: for each destination the first moment that is worth a claim."""
    lanes = ENGINE.lanes
    first = (
        select(func.min(lanes.c.claimable_at)).where(
            lanes.c.destination == name, lanes.c.claimable_at.is_not(None)
        )
        for name in destinations
    )
    return select(*(query.scalar_subquery() for query in first))
