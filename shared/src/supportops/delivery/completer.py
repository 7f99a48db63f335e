"""Writing what came of deliveries: many rows in one transaction, each with the changes and events that follow.

The final write names token and generation. Another token: the row belongs to someone else by now, nothing of ours is
written. Another generation: it was re-armed or cancelled while we called; what happened outside is recorded (`then`),
the newer intent of the row stands. What follows is collected first and the rows are written last: a row that turns out
to be somebody else's takes the transaction back. So locks are taken in the order of all transactions: a service's own
rows, deliveries by destination and key, lanes.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import SQLAlchemyError

from supportops.delivery.claims import LEASE
from supportops.delivery.destination import (
    Delivery,
    Done,
    Outcome,
    Snooze,
    TryAgain,
)
from supportops.delivery.final_write import Completed, commit_finals, final_of, kind_of, write_finals
from supportops.delivery.outages.breaker import Breaker
from supportops.delivery.outages.watching import log_change, watch
from supportops.delivery.retry import BUG_WAIT
from supportops.delivery.signs import WAITS, Sign, Signal
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger, info_each
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction, is_outage
from supportops.store.lanes import Lane, refresh
from supportops.store.writes import Incomplete

GROUP = 200  # rows per transaction
_log = get_logger("supportops.courier")


class _NotOurs(Exception):
    """Rows (id and token) that belong to somebody else by now: what was written with them is taken back."""

    def __init__(self, ids: set[tuple[str, str]]) -> None:
        super().__init__(f"{len(ids)} rows")
        self.ids = ids


class Completer:
    """Collects what calls in flight end with, and writes it in groups."""

    def __init__(
        self,
        store: Store,
        metrics: Recorder,
        on_waiting: Callable[[dict[str, datetime]], object] = lambda _moments: None,
        on_breaker: Callable[[Breaker], object] = lambda _breaker: None,
    ) -> None:
        """`on_waiting` hears when destinations have rows that may be claimed: perhaps sooner than anybody looks.

        `on_breaker` hears of breakers that may have opened or closed.
        """
        self._store = store
        self._on_waiting = on_waiting
        self._on_breaker = on_breaker
        self._metrics = metrics
        self._waits = LimitedWarnings(_log)
        self.behind = False  # the database is away, and outcomes wait to be written
        self._queue: asyncio.Queue[tuple[Completed, asyncio.Future[None]]] = asyncio.Queue()

    async def complete(self, rows: Sequence[Completed]) -> None:
        """Returns when `rows` are written (or found to be somebody else's)."""
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in rows]
        for row, future in zip(rows, waiting, strict=True):
            self._queue.put_nowait((row, future))
        await asyncio.gather(*waiting)

    async def drain(self) -> None:
        """Returns when everything that was handed in is written."""
        await self._queue.join()

    async def run(self) -> None:
        """Write groups for ever; cancelled by its owner after `drain`."""
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._write_until_done([row for row, _ in group])
            for _, future in group:
                if not future.done():
                    future.set_result(None)
                self._queue.task_done()

    async def _write_until_done(self, rows: list[Completed]) -> None:
        """Outage: wait for the database, without bound. Bug of ours in one row: the others do not suffer."""
        while True:
            try:
                await self.write(rows)
                self.behind = False
                return
            except Exception as error:  # noqa: BLE001  # the one loop; every branch writes, waits or narrows down
                if is_outage(error):
                    self.behind = True
                    self._waits.warning("complete.waits", "database", rows=len(rows), error=str(error))
                    await asyncio.sleep(1)
                elif len(rows) > 1:
                    for row in rows:
                        await self._write_until_done([row])
                    return
                else:
                    why = type(error).__name__
                    self._waits.error("complete.failed", why, key=rows[0].delivery.key, exc_info=error)
                    if isinstance(
                        rows[0].outcome, TryAgain | Snooze
                    ):  # nothing follows: not the row's own fault
                        await asyncio.sleep(1)
                    rows = [replace(rows[0], outcome=_not_recorded(error), signal=Signal(Sign.BUG))]

    async def write(self, rows: Sequence[Completed]) -> None:
        """Write rows and all that follows from them, in one transaction; raises what goes wrong there."""
        planned = list(_newest(rows))
        stale = [row for row in rows if _identity(row) not in set(map(_identity, planned))]
        at_once = True
        while planned:
            try:
                planned = await self._write_all(planned, at_once=at_once)
                break
            except Incomplete:  # which of them are not ours, the slower way tells
                at_once = False
            except _NotOurs as lost:
                stale += [row for row in planned if _identity(row) in lost.ids]
                planned = [row for row in planned if _identity(row) not in lost.ids]
        info_each("delivery.attempted", [self._line_of(row) for row in planned])
        for row in stale:
            self._log_stale(row.delivery)

    async def _write_all(self, rows: Sequence[Completed], *, at_once: bool) -> list[Completed]:
        """All or nothing; the rows as they were written: failures of an outage cost no attempt.

        `at_once`: by one statement, where it can be; lanes follow by another one.
        """
        async with self._store.transaction() as tx:
            watched = await watch(tx, rows)
            rows = watched.rows
            await _apply(tx, rows)
            if at_once and tx.is_one_statement and _leases_outlast_paces(rows):
                moments = await self._write_at_once(tx, rows)
            else:
                moments = await _write_in_order(tx, rows)
        self._on_waiting(moments)
        for before, after in watched.changes:
            log_change(before, after, self._metrics)
            self._on_breaker(after)
        return list(rows)

    async def _write_at_once(self, tx: Transaction, rows: Sequence[Completed]) -> dict[str, datetime]:
        """The lanes come after what is committed already. Without their news they wait for the end of the lease."""
        finals = [final_of(row, tx.now) for row in rows]
        paced = _paced(rows, tx.now)
        lanes = dict.fromkeys(await commit_finals(tx, finals)) | paced
        try:
            return await refresh(tx.conn, lanes, tx.now)
        except (
            OSError,
            SQLAlchemyError,
        ) as error:  # the rows are written: to raise would have them written again
            about = {"error": str(error), "outage": is_outage(error)}
            self._waits.warning("lanes.wait_for_their_leases", "lanes", lanes=len(lanes), **about)
            return {}

    def _log_stale(self, delivery: Delivery) -> None:
        self._metrics.count("delivery_attempts", destination=delivery.destination, outcome="stale")
        self._waits.warning("delivery.lost_lease", delivery.destination, key=delivery.key)

    def _line_of(self, row: Completed) -> dict[str, Any]:
        """The wide line of an attempt; its figures are counted."""
        delivery, outcome, kind = row.delivery, row.outcome, kind_of(row.outcome)
        label = "paused" if row.signal.sign in WAITS else kind
        self._metrics.count("delivery_attempts", destination=delivery.destination, outcome=label)
        self._metrics.observe(
            "delivery_attempt_seconds", row.took.total_seconds(), destination=delivery.destination
        )
        if kind in ("give_up", "unknown"):
            self._metrics.count("deliveries_dead", destination=delivery.destination)
        if delivery.attempts == 1:
            late = max(0.0, (delivery.claimed_at - delivery.due_at).total_seconds())
            self._metrics.observe("delivery_lateness_seconds", late, destination=delivery.destination)
        return {
            "destination": delivery.destination,
            "lane": delivery.lane,
            "key": delivery.key,
            "correlation_id": delivery.correlation_id,
            "attempt": delivery.attempts,
            "outcome": label,
            "reason": getattr(outcome, "reason", None),
            "late_ms": _milliseconds(delivery.claimed_at - delivery.due_at),
            "took_ms": _milliseconds(row.took),
        }


async def _write_in_order(tx: Transaction, rows: Sequence[Completed]) -> dict[str, datetime]:
    """What the rows lead to first, the rows, their lanes last; raises _NotOurs for rows of somebody else."""
    tx.deliveries.lock_rows_with((row.delivery.destination, row.delivery.key) for row in rows)
    await tx.flush()
    written = await write_finals(tx.conn, [final_of(row, tx.now) for row in rows])
    if lost := {_identity(row) for row in rows} - written.ours:
        raise _NotOurs(lost)
    paced = _paced(rows, tx.now)
    lanes = {lane: paced.get(lane) for lane in written.lanes | paced.keys()}
    tx.deliveries.lock_with(lanes)
    await tx.deliveries.flush_lanes(tx.conn)
    return await refresh(tx.conn, lanes, tx.now)


async def _apply(tx: Transaction, rows: Sequence[Completed]) -> None:
    """What follows from the outcomes, in their order; the rows that they announced are read at once."""
    wanted: dict[Table, set[Any]] = {}
    for row in rows:
        for table, key in row.outcome.reads if isinstance(row.outcome, Done) else ():
            wanted.setdefault(table, set()).add(key)
    await tx.load_all(wanted)
    for row in rows:
        if not isinstance(row.outcome, TryAgain | Snooze):
            tx.because_of(row.delivery.correlation_id)
            tx.deliveries.uncertain = row.delivery.uncertain  # what follows may have happened as well
            await tx.apply(row.outcome.then)
    tx.deliveries.uncertain = False


def _identity(row: Completed) -> tuple[str, str]:
    return row.delivery.id, row.delivery.token


def _newest(rows: Sequence[Completed]) -> Collection[Completed]:
    """Of each delivery the row with the newest token (they are made in order): an older one cannot be ours any more."""
    newest: dict[str, Completed] = {}
    for row in rows:
        known = newest.get(row.delivery.id)
        if known is None or known.delivery.token < row.delivery.token:
            newest[row.delivery.id] = row
    return newest.values()


def _not_recorded(error: Exception) -> Outcome:
    """The call has ended, but what follows from it cannot be written: the next attempt asks what happened.

    It is a mistake of ours like one in the call itself: where row after row has it, the destination is stopped before
    more is done outside that nobody can write down.
    """
    return TryAgain(BUG_WAIT, f"not recorded: {type(error).__name__}: {error}", uncertain=True)


def _leases_outlast_paces(rows: Sequence[Completed]) -> bool:
    """Whether a lane that is not told of the end of its call waits longer than its pace asks for all the same."""
    return all(row.spec.lane_pace is None or row.spec.lane_pace.interval <= LEASE / 2 for row in rows)


def _paced(rows: Sequence[Completed], now: datetime) -> dict[Lane, datetime | None]:
    """The lanes of these calls, each with the moment before which its pace allows no other: it counts from the call."""
    free: dict[Lane, datetime | None] = {}
    for row in rows:
        lane, pace = Lane(row.delivery.destination, row.delivery.lane), row.spec.lane_pace
        free_at = None if pace is None else row.started_at + pace.interval
        free[lane] = free_at if free_at is not None and free_at > now else None
    return free


def _milliseconds(time: timedelta) -> float:
    return round(time / timedelta(milliseconds=1), 1)
