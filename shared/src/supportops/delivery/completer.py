"""Writing what came of deliveries: many rows in one transaction, each with the changes and events that follow.

The final write names token and generation. Another token: the row belongs to someone else by now, nothing of ours is
written. Another generation: it was re-armed or cancelled while we called; what happened outside is recorded (`then`),
the newer intent of the row stands.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import random
from typing import Any

import orjson
import structlog
from sqlalchemy import Row, Table, bindparam, update

from supportops.delivery.claims import lane_name, pause_name
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Snooze,
    TryAgain,
)
from supportops.delivery.rate_limits import Rates
from supportops.delivery.retry import BUG_WAIT, plan
from supportops.observability.logging import info_each
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction, is_outage
from supportops.store.key_lookup import key_parameters, locked_rows
from supportops.store.tables import ENGINE

GROUP = 200  # rows per transaction
HISTORY = 20  # attempts remembered per row
REASON = 500  # characters of a reason kept
_log = structlog.get_logger("courier")

_COLUMNS = (
    "state",
    "next_attempt_at",
    "attempts",
    "uncertain",
    "lease_until",
    "token",
    "outcome",
    "history",
    "finished_at",
)
_FINAL_WRITE = (
    update(ENGINE.deliveries)
    .where(ENGINE.deliveries.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in _COLUMNS})
)


@dataclass(frozen=True)
class Settled:
    """A delivery with its outcome. `paused`: how long its whole destination is to wait."""

    delivery: Delivery
    outcome: Outcome
    spec: DestinationSpec
    started_at: datetime
    took: timedelta
    paused: timedelta | None = None


class Completer:
    """Collects settled deliveries of all calls in flight and writes them in groups."""

    def __init__(
        self, store: Store, metrics: Recorder, on_waiting: Callable[[], object] = lambda: None
    ) -> None:
        """`on_waiting` is called when a row was put back to wait: it may be due sooner than anybody looks."""
        self._store = store
        self._on_waiting = on_waiting
        self._metrics = metrics
        self.behind = False  # the database is away, and outcomes wait to be written
        self._queue: asyncio.Queue[tuple[Settled, asyncio.Future[None]]] = asyncio.Queue()

    async def settle(self, rows: Sequence[Settled]) -> None:
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

    async def _write_until_done(self, rows: list[Settled]) -> None:
        """Outage: wait for the database, without bound. Bug of ours in one row: the others do not suffer."""
        while True:
            try:
                await self.write(rows)
                self.behind = False
                return
            except Exception as error:  # noqa: BLE001  # the one loop; every branch writes, waits or narrows down
                if is_outage(error):
                    self.behind = True
                    _log.warning("settle.waits", rows=len(rows), error=str(error))
                    await asyncio.sleep(1)
                elif len(rows) > 1:
                    for row in rows:
                        await self._write_until_done([row])
                    return
                else:
                    _log.error("settle.failed", key=rows[0].delivery.key, exc_info=error)
                    if isinstance(
                        rows[0].outcome, TryAgain | Snooze
                    ):  # nothing follows: not the row's own fault
                        await asyncio.sleep(1)
                    rows = [replace(rows[0], outcome=_not_recorded(error))]

    async def write(self, rows: list[Settled]) -> None:
        """Write rows and all that follows from them, in one transaction; raises what goes wrong there."""
        late = {(row.delivery.id, row.delivery.token): row for row in rows}
        written: list[Settled] = []
        async with self._store.transaction() as tx:
            finals = []
            for current in await _lock(tx, [row.delivery.id for row in rows]):
                if (row := late.pop((current.id, current.token), None)) is None:
                    continue  # somebody else's by now
                row = _planned(row)
                finals.append(_final(current, row, tx.now))
                written.append(row)
            await _apply(tx, written)
            if finals:
                await tx.conn.execute(_FINAL_WRITE, finals)
            if busy := _busy(rows, tx.now):
                await Rates(tx.conn, tx.now).set_busy(busy)
        if any(final["b_state"] == "waiting" for final in finals):
            self._on_waiting()
        info_each("delivery.attempted", [self._told(row) for row in written])
        for row in late.values():
            self._tell_stale(row.delivery)

    def _tell_stale(self, delivery: Delivery) -> None:
        self._metrics.count("delivery_attempts", destination=delivery.destination, outcome="stale")
        _log.warning("delivery.lost_lease", destination=delivery.destination, key=delivery.key)

    def _told(self, row: Settled) -> dict[str, Any]:
        """The wide line of an attempt; its figures are counted."""
        delivery, outcome, kind = row.delivery, row.outcome, _kind(row.outcome)
        label = "paused" if row.paused else kind
        self._metrics.count("delivery_attempts", destination=delivery.destination, outcome=label)
        self._metrics.observe(
            "delivery_attempt_seconds", row.took.total_seconds(), destination=delivery.destination
        )
        if kind == "give_up":
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


async def _apply(tx: Transaction, rows: Sequence[Settled]) -> None:
    """What follows from the outcomes, in their order; the rows that they announced are read at once."""
    wanted: dict[Table, set[Any]] = {}
    for row in rows:
        for table, key in row.outcome.reads if isinstance(row.outcome, Done) else ():
            wanted.setdefault(table, set()).add(key)
    for table in sorted(wanted, key=lambda table: table.name):
        await tx.load(table, wanted[table])
    for row in rows:
        if not isinstance(row.outcome, TryAgain | Snooze):
            tx.because_of(row.delivery.correlation_id)
            await tx.apply(row.outcome.then)


def _planned(row: Settled) -> Settled:
    jitter = random()  # noqa: S311  # no secret
    return replace(row, outcome=plan(row.outcome, row.delivery.attempts, row.spec.schedule, jitter))


def _not_recorded(error: Exception) -> Outcome:
    """The call has ended, but what follows from it cannot be written: the next attempt asks what happened."""
    return TryAgain(BUG_WAIT, f"not recorded: {type(error).__name__}: {error}", uncertain=True)


def _busy(rows: list[Settled], now: datetime) -> dict[str, datetime]:
    """Rates that these attempts set: a paused destination, and lanes whose pace counts from the call itself."""
    moments = [(pause_name(row.spec.name), now + row.paused) for row in rows if row.paused]
    moments += [
        (lane_name(row.spec, row.delivery.lane), row.started_at + row.spec.lane_pace.interval)
        for row in rows
        if row.spec.lane_pace is not None
    ]
    return dict(sorted(moments))  # of each name the last


def _milliseconds(time: timedelta) -> float:
    return round(time / timedelta(milliseconds=1), 1)


async def _lock(tx: Transaction, ids: list[str]) -> Sequence[Row[Any]]:
    dialect = tx.conn.dialect.name
    parameters = key_parameters(ids, 1, dialect)
    rows: Sequence[Row[Any]] = (
        await tx.conn.execute(locked_rows(ENGINE.deliveries, dialect), parameters)
    ).all()
    return rows


def _final(current: Row[Any], row: Settled, now: datetime) -> dict[str, Any]:
    """The row after the attempt, as parameters of the final write."""
    outcome, attempts = row.outcome, row.delivery.attempts
    values: dict[str, Any] = {
        "state": _STATES[type(outcome)],
        "next_attempt_at": now,
        "attempts": attempts,
        "uncertain": False,
        "lease_until": None,
        "token": None,
        "outcome": orjson.dumps(_record(outcome), default=str).decode(),
        "history": _remember(current.history, attempts, outcome, now),
        "finished_at": now,
    }
    if isinstance(outcome, TryAgain | Snooze):
        snoozed = isinstance(outcome, Snooze)
        values |= {
            "next_attempt_at": now + (outcome.after or timedelta(0)),
            "attempts": attempts - (1 if snoozed else 0),
            "uncertain": outcome.uncertain or (snoozed and row.delivery.uncertain),
            "finished_at": None,
        }
    if current.generation != row.delivery.generation:
        values |= _newer_intent(current)
    return {f"b_{name}": value for name, value in values.items()} | {"b_id": current.id}


def _newer_intent(current: Row[Any]) -> dict[str, Any]:
    """What a re-arm or a cancel that came during the call wants of the row; doubt about the call stays with it."""
    if current.state == "cancelled":
        return {"state": "cancelled", "finished_at": current.finished_at}
    return {"state": "waiting", "next_attempt_at": current.due_at, "attempts": 0, "finished_at": None}


_STATES = {Done: "done", Cancel: "done", Discard: "dead", TryAgain: "waiting", Snooze: "waiting"}
_KINDS = {Done: "done", Cancel: "moot", Discard: "give_up", TryAgain: "try_again", Snooze: "try_again"}


def _kind(outcome: Outcome) -> str:
    return _KINDS[type(outcome)]


def _record(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Done):
        return {"kind": "done", "result": dict(outcome.result)}
    return {"kind": _kind(outcome), "reason": outcome.reason[:REASON]}


def _remember(history: str | None, attempt: int, outcome: Outcome, now: datetime) -> str:
    """The attempts of a row, newest last: [{"at", "attempt", "kind", "reason"}]."""
    entries: list[dict[str, Any]] = orjson.loads(history) if history else []
    entry = {"at": now.isoformat(), "attempt": attempt, "kind": _kind(outcome)}
    if not isinstance(outcome, Done):
        entry["reason"] = outcome.reason[:REASON]
    return orjson.dumps([*entries, entry][-HISTORY:]).decode()
