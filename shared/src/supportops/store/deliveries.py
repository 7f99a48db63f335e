"""Schedule, re-arm and cancel deliveries by key, inside the transaction that has a reason to.

The calls of one transaction are collected and written in bulk. Calls for the same key keep their order: they are
written in waves, each with at most one call per key. Locks are taken in one order, by everybody: a service's own rows,
deliveries by destination and key, lanes at the very end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import orjson
from sqlalchemy import and_, case, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from supportops.store.key_lookup import SQLITE, for_each, parameter_rows
from supportops.store.lanes import Lane, touch
from supportops.store.tables import ENGINE, active
from supportops.store.upsert import insert_for

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

    async def flush(self, conn: AsyncConnection) -> None:
        """Write the collected calls; called by the transaction."""
        calls, self._calls = self._calls, []
        waves = list(_waves(calls))
        if conn.dialect.name != SQLITE and len(waves) > 1:
            keys = sorted({_key(call) for call in calls})
            await for_each(conn, _LOCK, [{"destination": name, "key": key} for name, key in keys])
        for kind, wave in waves:
            await self._write(conn, kind, sorted(wave, key=_key))

    def may_be_claimed(self, lane: Lane, moment: datetime) -> None:
        """Somebody has changed rows of `lane` by hand: it is looked at from `moment` on."""
        self._touched[lane] = min(moment, self._touched.get(lane, moment))
        self.destinations.add(lane.destination)

    def lock_with(self, lanes: Iterable[Lane]) -> None:
        """Have `lanes`, which the caller computes anew, locked together with those of the calls: in one order."""
        if self._touched:
            self._touched = dict.fromkeys(lanes, NEVER) | self._touched

    async def flush_lanes(self, conn: AsyncConnection) -> None:
        """Let the lanes of what was written know; the last statement of a transaction (called by the store)."""
        moments, self._touched = self._touched, {}
        await touch(conn, moments, self._now)

    async def _write(self, conn: AsyncConnection, kind: Kind, wave: Sequence[_Call]) -> None:
        """The calls of one kind, at most one per key, in the order of their keys."""
        statement, rows = _statement(kind, conn.dialect.name), [call.row for call in wave]
        if conn.dialect.name == SQLITE and kind != "cancel":
            await conn.execute(statement, rows)
        else:
            await for_each(conn, statement, rows)
        if kind != "cancel":
            for row in rows:
                self.may_be_claimed(Lane(row["destination"], row["lane"]), row["due_at"])


@cache
def _statement(kind: Kind, dialect: str) -> Any:
    """What writes the calls of one kind; built once."""
    return {"schedule": _schedule, "rearm": _rearm, "cancel": _cancel}[kind](dialect)


def _insert(dialect: str) -> Any:
    """New rows: on SQLite one at a time, on PostgreSQL from arrays."""
    insert = insert_for(dialect, ENGINE.deliveries)
    if dialect == SQLITE:
        return insert
    rows = parameter_rows({name: ENGINE.deliveries.c[name] for name in _NEW}, dialect)
    return insert.from_select(_NEW, select(*rows.values()).where(true()))


def _schedule(dialect: str) -> Any:
    return _insert(dialect).on_conflict_do_nothing(index_elements=["destination", "key"])


def _rearm(dialect: str) -> Any:
    table, statement = ENGINE.deliveries, _insert(dialect)
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
    )


def _cancel(dialect: str) -> Any:
    table, v = ENGINE.deliveries, parameter_rows(_CANCELLED, dialect)
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


def _waves(calls: Sequence[_Call]) -> Iterator[tuple[Kind, list[_Call]]]:
    """Calls that can be written together (one kind, one per key), each wave behind those that it must wait for."""
    while calls:
        wave, calls = _first_wave(calls)
        for kind in KINDS:
            if together := [call for call in wave if call.kind == kind]:
                yield kind, together


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


_D = ENGINE.deliveries
_KEY = {"destination": _D.c.destination, "key": _D.c.key}
_CANCELLED = _KEY | {"finished_at": _D.c.finished_at, "outcome": _D.c.outcome}


def _locked() -> Any:
    """Rows of many keys, locked in the order in which every transaction locks them (PostgreSQL)."""
    v = parameter_rows(_KEY, "postgresql")
    mine = (_D.c.destination == v["destination"], _D.c.key == v["key"])
    return select(_D.c.id).where(*mine).order_by(_D.c.destination, _D.c.key).with_for_update(of=_D)


_LOCK = _locked()
