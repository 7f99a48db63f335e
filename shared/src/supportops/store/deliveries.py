"""Schedule, re-arm and cancel deliveries by key, inside the transaction that has a reason to.

The calls of one transaction are collected and written in bulk. Calls for the same key keep their order: they are
written in waves, each with at most one call per key. Locks are taken in one order, by everybody: a service's own rows,
deliveries by destination and key, lanes at the very end (decision 105).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from supportops.store.key_lookup import SQLITE, parameter_rows
from supportops.store.lanes import Lane, touches
from supportops.store.tables import ENGINE, active
from supportops.store.writes import Shape, Write, insert_values, perform

CORRELATION = "correlation_id"  # its name in payloads
NEVER = datetime.max.replace(tzinfo=UTC)
PRIORITY_STEP = 10**16  # more than any moment in microseconds, so that a higher priority always goes first


Kind = Literal["schedule", "rearm", "cancel"]
KINDS: tuple[Kind, ...] = ("schedule", "rearm", "cancel")
_NEW = (
    "id",
    "destination",
    "key",
    "lane",
    "position",
    "generation",
    "state",
    "due_at",
    "next_attempt_at",
    "payload",
    "attempts",
    "uncertain",
    "created_at",
)


@dataclass(frozen=True)
class _Call:
    kind: Kind
    destination: str
    key: str
    row: dict[str, Any]


class DeliveryBook:
    """The deliveries part of a transaction."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._calls: list[_Call] = []
        self._touched: dict[Lane, datetime] = {}
        self._locked_with: frozenset[tuple[str, str]] = frozenset()
        self._flying: dict[Lane, datetime] = {}  # until when a row that was armed anew is in flight
        self.destinations: set[str] = set()
        self.correlation_id: str | None = None
        """Goes into the payload of what is scheduled, unless that names one itself."""
        self.uncertain = False
        """What is scheduled may have happened in a life that the database has forgotten: ask first."""

    def schedule(
        self,
        destination: str,
        key: str,
        *,
        lane: str,
        payload: Mapping[str, Any],
        due_at: datetime | None = None,
        priority: int = 0,
    ) -> None:
        """Have `destination` called at `due_at` (default: now), once for this key.

        A key that is already there, in whatever state, is left alone. Rows of a lane go in the order of their due
        time, those of a higher `priority` first.
        """
        self._collect(
            "schedule", destination, key, self._row(destination, key, lane, payload, due_at, priority)
        )

    def rearm(
        self,
        destination: str,
        key: str,
        *,
        lane: str,
        payload: Mapping[str, Any],
        due_at: datetime | None = None,
        priority: int = 0,
    ) -> None:
        """Like `schedule`, but a row that is waiting, in flight or cancelled takes the new time and payload.

        A done or dead row is never revived: a new happening is a new key.
        """
        self._collect("rearm", destination, key, self._row(destination, key, lane, payload, due_at, priority))

    def cancel(self, destination: str, key: str, *, reason: str | None = None) -> None:
        """Make sure that the delivery is not started any more; no row, or a finished one, is no error.

        A call in flight is not interrupted: it holds its lane until it ends, and what it did is recorded. A `reason`
        is kept as the row's outcome; without one the last outcome stays.
        """
        outcome = None if reason is None else orjson.dumps({"kind": "cancelled", "reason": reason}).decode()
        row = {"destination": destination, "key": key, "finished_at": self._now, "outcome": outcome}
        self._collect("cancel", destination, key, row)

    def _collect(self, kind: Kind, destination: str, key: str, row: Any) -> None:
        self._calls.append(_Call(kind, destination, key, row))
        self.destinations.add(destination)

    def _row(
        self,
        destination: str,
        key: str,
        lane: str,
        payload: Mapping[str, Any],
        due_at: datetime | None,
        priority: int,
    ) -> dict[str, Any]:
        due = due_at or self._now
        if self.correlation_id is not None:
            payload = {CORRELATION: self.correlation_id, **payload}
        position = int(due.timestamp() * 1_000_000) + len(self._calls) - priority * PRIORITY_STEP
        return {
            "id": str(uuid7()),
            "destination": destination,
            "key": key,
            "lane": lane,
            "position": position,
            "generation": 1,
            "state": "waiting",
            "due_at": due,
            "next_attempt_at": due,
            "payload": orjson.dumps(payload).decode(),
            "attempts": 0,
            "uncertain": self.uncertain,
            "created_at": self._now,
        }

    @property
    def only_new(self) -> bool:
        """Whether the calls since the last time touch no row that may be there already, and no key twice."""
        keys = {_key(call) for call in self._calls if call.kind == "schedule"}
        return len(keys) == len(self._calls)

    def collected(self) -> list[list[Write]]:
        """The calls since the last time, in rounds: the writes of a round are of different rows."""
        calls, self._calls = self._calls, []
        for call in calls:
            if call.kind != "cancel":
                self.may_be_claimed(Lane(call.destination, call.row["lane"]), call.row["due_at"])
        rounds = [_round(wave) for wave in _waves(calls)]
        changes = any(call.kind != "schedule" for call in calls)  # rows that are there already
        if sum(map(len, rounds)) > 1 or (changes and self._locked_with):
            keys = sorted({*map(_key, calls), *self._locked_with})
            rounds[0].insert(0, Write(LOCK, [{"destination": name, "key": key} for name, key in keys]))
        return rounds

    async def flush(self, conn: AsyncConnection) -> None:
        """Write the collected calls, but not their lanes."""
        for writes in self.collected():
            await self.perform(conn, writes)

    async def perform(self, conn: AsyncConnection, writes: Sequence[Write]) -> None:
        """Some of what was collected, one statement after the other."""
        for write in writes:
            if write.shape == LOCK and conn.dialect.name == SQLITE:
                continue  # one writer
            found = await perform(conn, write)
            for row in found if write.shape == REARM else ():
                if row.lease_until is not None:
                    lane = Lane(row.destination, row.lane)
                    self._flying[lane] = max(row.lease_until, self._flying.get(lane, row.lease_until))

    def may_be_claimed(self, lane: Lane, moment: datetime) -> None:
        """Somebody has changed rows of `lane` by hand: it is looked at from `moment` on."""
        self._touched[lane] = min(moment, self._touched.get(lane, moment))
        self.destinations.add(lane.destination)

    def lock_rows_with(self, keys: Iterable[tuple[str, str]]) -> None:
        """Have rows (destination and key) that the caller writes later locked together with those of the calls."""
        self._locked_with = frozenset(keys)

    def lock_with(self, lanes: Iterable[Lane]) -> None:
        """Have `lanes`, which the caller computes anew, locked together with those of the calls: in one order."""
        if self._touched:
            self._touched = dict.fromkeys(lanes, NEVER) | self._touched

    def lanes(self, beside: Sequence[Write] = ()) -> list[Write]:
        """Let the lanes of what was written know: the last write of a transaction.

        `beside`: writes that are earlier parts of the same statement.
        """
        moments, self._touched = self._touched, {}
        rearmed = any(write.shape == REARM for write in beside)
        return touches(moments, self._flying, self._now, rearmed=REARMED if rearmed else "")

    async def flush_lanes(self, conn: AsyncConnection) -> None:
        """The same, by itself."""
        for write in self.lanes():
            await perform(conn, write)


def _schedule(dialect: str, prefix: str) -> Any:
    statement = insert_values(dialect, prefix, ENGINE.deliveries, _NEW)
    return statement.on_conflict_do_nothing(index_elements=["destination", "key"])


def _rearm(dialect: str, prefix: str) -> Any:
    table, statement = ENGINE.deliveries, insert_values(dialect, prefix, ENGINE.deliveries, _NEW)
    new = statement.excluded
    in_flight = table.c.lease_until.is_not(None)  # also when it was cancelled meanwhile
    return statement.on_conflict_do_update(
        index_elements=["destination", "key"],
        set_={
            "generation": table.c.generation + 1,
            "lane": new.lane,
            "position": new.position,
            "due_at": new.due_at,
            "payload": new.payload,
            # A call in flight keeps its lease: its final write sees the newer generation and frees the row. If its
            # worker is dead, the row is claimed when lease and due time have passed, and asked about first.
            "state": case((in_flight, "leased"), else_="waiting"),
            "next_attempt_at": case(
                (and_(in_flight, table.c.lease_until > new.due_at), table.c.lease_until), else_=new.due_at
            ),
            "attempts": 0,
            "uncertain": or_(table.c.uncertain, new.uncertain),
            "finished_at": None,
        },
        where=or_(active(table), table.c.state == "cancelled"),
    ).returning(table.c.destination, table.c.lane, table.c.lease_until)


def _cancel(dialect: str, prefix: str) -> Any:
    table, v = ENGINE.deliveries, parameter_rows(_CANCELLED, dialect, prefix)
    return (
        update(table)
        .where(table.c.destination == v["destination"], table.c.key == v["key"], active(table))
        .values(
            state="cancelled",
            generation=table.c.generation + 1,
            finished_at=v["finished_at"],
            outcome=func.coalesce(v["outcome"], table.c.outcome, '{"kind":"cancelled"}'),
        )
    )


def _locked(dialect: str, prefix: str) -> Any:
    """Rows of many keys, locked in the order in which every transaction locks them (SQLite has one writer)."""
    v = parameter_rows(_KEY, dialect, prefix)
    mine = (_D.c.destination == v["destination"], _D.c.key == v["key"])
    return select(_D.c.id).where(*mine).order_by(_D.c.destination, _D.c.key).with_for_update(of=_D)


_D = ENGINE.deliveries
_KEY = {"destination": _D.c.destination, "key": _D.c.key}
_CANCELLED = _KEY | {"finished_at": _D.c.finished_at, "outcome": _D.c.outcome}
REARMED = "rearmed"
LOCK, REARM = Shape(_locked), Shape(_rearm, name=REARMED)
_SHAPES: Mapping[Kind, Shape] = {"schedule": Shape(_schedule), "rearm": REARM, "cancel": Shape(_cancel)}


def _round(wave: Sequence[_Call]) -> list[Write]:
    """The calls of a wave by kind, in the order of their keys."""
    by_kind = ((kind, [call for call in wave if call.kind == kind]) for kind in KINDS)
    return [
        Write(_SHAPES[kind], [call.row for call in sorted(some, key=_key)]) for kind, some in by_kind if some
    ]


def _waves(calls: Sequence[_Call]) -> Iterator[list[_Call]]:
    """Calls of different keys, each wave behind those that it must wait for."""
    while calls:
        wave, calls = _first_wave(calls)
        yield wave


def _first_wave(calls: Sequence[_Call]) -> tuple[list[_Call], list[_Call]]:
    seen: set[tuple[str, str]] = set()
    wave: list[_Call] = []
    later: list[_Call] = []
    for call in calls:
        (later if _key(call) in seen else wave).append(call)
        seen.add(_key(call))
    return wave, later


def _key(call: _Call) -> tuple[str, str]:
    return call.destination, call.key
