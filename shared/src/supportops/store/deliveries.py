"""Schedule, re-arm and cancel deliveries by key, inside the transaction that has a reason to.

The calls of one transaction are collected and written in bulk. Calls for the same key keep their order: they are
written in waves, each with at most one call per key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

import orjson
from sqlalchemy import and_, bindparam, case, func, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from supportops.store.tables import ENGINE, active
from supportops.store.upsert import insert_for

CORRELATION = "correlation_id"  # its name in payloads
PRIORITY_STEP = 10**16  # more than any moment in microseconds, so that a higher priority always goes first


@dataclass(frozen=True)
class _Call:
    kind: Literal["schedule", "rearm", "cancel"]
    destination: str
    key: str
    row: dict[str, Any]


class DeliveryBook:
    """The deliveries part of a transaction."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._calls: list[_Call] = []
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
        row = {"b_destination": destination, "b_key": key, "b_now": self._now, "b_outcome": outcome}
        self._collect("cancel", destination, key, row)

    def _collect(
        self, kind: Literal["schedule", "rearm", "cancel"], destination: str, key: str, row: Any
    ) -> None:
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
        while self._calls:
            wave, later = _first_wave(self._calls)
            self._calls = later
            for kind in ("schedule", "rearm", "cancel"):
                if rows := [call.row for call in wave if call.kind == kind]:
                    await conn.execute(_statement(kind, conn.dialect.name), rows)


@cache
def _statement(kind: str, dialect: str) -> Any:
    """What writes the calls of one kind; built once."""
    return {"schedule": _schedule, "rearm": _rearm, "cancel": _cancel}[kind](dialect)


def _schedule(dialect: str) -> Any:
    return insert_for(dialect, ENGINE.deliveries).on_conflict_do_nothing(
        index_elements=["destination", "key"]
    )


def _rearm(dialect: str) -> Any:
    table, statement = ENGINE.deliveries, insert_for(dialect, ENGINE.deliveries)
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


def _cancel(_dialect: str) -> Any:
    table = ENGINE.deliveries
    return (
        update(table)
        .where(
            and_(
                table.c.destination == bindparam("b_destination"),
                table.c.key == bindparam("b_key"),
                active(table),
            )
        )
        .values(
            state="cancelled",
            generation=table.c.generation + 1,
            finished_at=bindparam("b_now", type_=table.c.finished_at.type),
            outcome=func.coalesce(
                bindparam("b_outcome", type_=table.c.outcome.type), table.c.outcome, '{"kind":"cancelled"}'
            ),
        )
    )


def _first_wave(calls: list[_Call]) -> tuple[list[_Call], list[_Call]]:
    """The calls that can be written together (one per key) and those that must wait for them."""
    seen: set[tuple[str, str]] = set()
    wave: list[_Call] = []
    later: list[_Call] = []
    for call in calls:
        (later if (call.destination, call.key) in seen else wave).append(call)
        seen.add((call.destination, call.key))
    return wave, later
