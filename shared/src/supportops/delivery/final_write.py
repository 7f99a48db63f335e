"""The final write of a delivery: one guarded update for many rows, by token and generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import case, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Snooze,
    TryAgain,
    Unknown,
)
from supportops.delivery.signs import QUIET, Sign, Signal
from supportops.store import Transaction
from supportops.store.key_lookup import SQLITE, parameter_rows
from supportops.store.lanes import Lane
from supportops.store.tables import ENGINE
from supportops.store.writes import Shape, Write, perform

HISTORY = 20  # attempts remembered per row
REASON = 500  # characters of a reason kept
_STATES = {
    Done: "done",
    Cancel: "done",
    Discard: "dead",
    Unknown: "dead",
    TryAgain: "waiting",
    Snooze: "waiting",
}
_KINDS = {
    Done: "done",
    Cancel: "moot",
    Discard: "give_up",
    Unknown: "unknown",
    TryAgain: "try_again",
    Snooze: "try_again",
}
_D = ENGINE.deliveries
_FINAL = {
    name: _D.c[name]
    for name in (
        "id",
        "token",
        "destination",
        "key",
        "generation",
        "state",
        "next_attempt_at",
        "attempts",
        "uncertain",
        "outcome",
        "history",
        "finished_at",
    )
}


@dataclass(frozen=True)
class Completed:
    """A delivery whose call has ended, with its outcome, and what that says about its destination.

    `probe`: it was sent out to see; `troubled`: the destination's breaker counted something when it was claimed.
    """

    delivery: Delivery
    outcome: Outcome
    spec: DestinationSpec
    started_at: datetime
    took: timedelta
    signal: Signal = QUIET
    probe: bool = False
    troubled: bool = False

    @property
    def is_trouble(self) -> bool:
        """Whether the end of the call says that something may be wrong with the destination."""
        return self.signal.sign not in (Sign.ALIVE, Sign.NOTHING)


@dataclass(frozen=True)
class Written:
    """Which rows (id and token) were ours and are written, and the lanes that they are in now."""

    ours: set[tuple[str, str]]
    lanes: set[Lane]


def kind_of(outcome: Outcome) -> str:
    """The outcome as rows, history and metrics name it."""
    return _KINDS[type(outcome)]


def final_of(row: Completed, now: datetime) -> dict[str, Any]:
    """The row after the attempt, if nobody wants anything else of it meanwhile.

    What is as good twice as once is called again in any case: its doubt is not about itself but about what follows
    from it (the database was put back), and outlasts its attempts.
    """
    delivery, outcome = row.delivery, row.outcome
    values: dict[str, Any] = {
        "id": delivery.id,
        "token": delivery.token,
        "destination": delivery.destination,
        "key": delivery.key,
        "generation": delivery.generation,
        "state": _STATES[type(outcome)],
        "next_attempt_at": now,
        "attempts": delivery.attempts,
        "uncertain": isinstance(outcome, Unknown),
        "outcome": orjson.dumps(_record(outcome), default=str).decode(),
        "history": _remember(delivery, outcome, now),
        "finished_at": now,
    }
    if isinstance(outcome, TryAgain | Snooze):
        snoozed = isinstance(outcome, Snooze)
        in_doubt = outcome.uncertain or (snoozed and delivery.uncertain)
        values |= {
            "next_attempt_at": now + (outcome.after or timedelta(0)),
            "attempts": delivery.attempts - (1 if snoozed else 0),
            "uncertain": delivery.uncertain if row.spec.idempotent else in_doubt,
            "finished_at": None,
        }
    return values


async def write_finals(conn: AsyncConnection, finals: Sequence[dict[str, Any]]) -> Written:
    """Write the rows that are still held under their token."""
    rows = await perform(conn, _write_of(finals))
    tokens = {final["id"]: final["token"] for final in finals}
    return Written(
        {(row.id, tokens[row.id]) for row in rows}, {Lane(row.destination, row.lane) for row in rows}
    )


async def commit_finals(tx: Transaction, finals: Sequence[dict[str, Any]]) -> set[Lane]:
    """Write the rows and all that the transaction has collected, by one statement; the lanes that the rows are in.

    Raises Incomplete, and nothing is written, when one is not held under its token any more.
    """
    found = await tx.commit_with(_write_of(finals))
    return {Lane(*names) for names in zip(found["destination"], found["lane"], strict=True)}


def _write_of(finals: Sequence[dict[str, Any]]) -> Write:
    return Write(_FINAL_WRITE, sorted(finals, key=lambda final: (final["destination"], final["key"])))


def _final_write(dialect: str, prefix: str) -> Any:
    """A re-arm or a cancel that came during the call keeps what it wants of the row; doubt about the call stays."""
    v = parameter_rows(_FINAL, dialect, prefix)
    same, cancelled = _D.c.generation == v["generation"], _D.c.state == "cancelled"
    statement = update(_D).where(_D.c.id == v["id"], _D.c.token == v["token"])
    if dialect != SQLITE:
        locked = (
            select(_D.c.id)
            .where(_D.c.id == v["id"], _D.c.token == v["token"])
            .order_by(_D.c.destination, _D.c.key)
            .with_for_update(of=_D)
            .cte("locked")
        )
        statement = statement.where(_D.c.id == locked.c.id)
    return statement.values(
        state=case((same, v["state"]), (cancelled, "cancelled"), else_="waiting"),
        next_attempt_at=case(
            (same, v["next_attempt_at"]), (cancelled, v["next_attempt_at"]), else_=_D.c.due_at
        ),
        attempts=case((same, v["attempts"]), (cancelled, v["attempts"]), else_=0),
        uncertain=v["uncertain"],
        lease_until=null(),
        token=null(),
        outcome=v["outcome"],
        history=v["history"],
        finished_at=case((same, v["finished_at"]), (cancelled, _D.c.finished_at), else_=null()),
    ).returning(_D.c.id, _D.c.destination, _D.c.lane)


_FINAL_WRITE = Shape(_final_write)


def _record(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Done):
        return {"kind": "done", "result": dict(outcome.result)}
    return {"kind": kind_of(outcome), "reason": outcome.reason[:REASON]}


def _remember(delivery: Delivery, outcome: Outcome, now: datetime) -> str:
    """The attempts of a row, newest last: [{"at", "attempt", "kind", "reason"}]."""
    entries: list[dict[str, Any]] = orjson.loads(delivery.history) if delivery.history else []
    entry = {"at": now.isoformat(), "attempt": delivery.attempts, "kind": kind_of(outcome)}
    if not isinstance(outcome, Done):
        entry["reason"] = outcome.reason[:REASON]
    return orjson.dumps([*entries, entry][-HISTORY:]).decode()
