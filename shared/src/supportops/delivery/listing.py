"""Deliveries as operators ask for them: which there are, how many, in which state and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import ColumnElement, Row, func, select

from supportops.store.engine import Store
from supportops.store.tables import ENGINE

State = Literal["waiting", "leased", "done", "cancelled", "dead"]
OPEN: tuple[State, ...] = ("waiting", "leased", "dead")
"""What is not finished for good: it waits, it is in hand, or it was given up on."""
ACTIVE: tuple[State, ...] = ("waiting", "leased")


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries are meant; what is empty or None does not narrow.

    `since`: nothing that ended (or, while it has not, was made) before. `reason`: words of the last outcome.
    """

    states: tuple[State, ...] = OPEN
    destinations: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    lane: str | None = None
    since: datetime | None = None
    reason: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as conditions on `deliveries`; rows that have ended are named in the words of their index."""
        d = ENGINE.deliveries
        found: list[ColumnElement[bool]] = [d.c.state.in_(self.states)]
        if not set(self.states) & set(ACTIVE):
            found.append(d.c.finished_at.is_not(None))
        found += [d.c.destination.in_(self.destinations)] if self.destinations else []
        found += [d.c.key.in_(self.keys)] if self.keys else []
        found += [d.c.lane == self.lane] if self.lane is not None else []
        if self.since is not None:
            found.append(func.coalesce(d.c.finished_at, d.c.created_at) >= self.since)
        if self.reason:
            as_stored = orjson.dumps(self.reason).decode()[1:-1]  # outcomes are kept as JSON
            found.append(d.c.outcome.contains(as_stored, autoescape=True))
        return found


@dataclass(frozen=True)
class ListedDelivery:
    """A delivery without its payload, which may be a customer's words. `reason`: of its last outcome."""

    destination: str
    key: str
    lane: str
    state: State
    attempts: int
    due_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    reason: str


async def list_deliveries(store: Store, wanted: DeliveryFilter, limit: int) -> list[ListedDelivery]:
    """At most `limit` of them, the oldest first."""
    d = ENGINE.deliveries
    query = select(d).where(*wanted.conditions()).order_by(d.c.created_at, d.c.position, d.c.id).limit(limit)
    async with store.reading() as conn:
        return [_listed(row) for row in (await conn.execute(query)).all()]


async def count_deliveries(store: Store, wanted: DeliveryFilter) -> dict[str, int]:
    """How many there are of each destination."""
    d = ENGINE.deliveries
    query = select(d.c.destination, func.count()).where(*wanted.conditions()).group_by(d.c.destination)
    async with store.reading() as conn:
        return {str(name): int(number) for name, number in (await conn.execute(query)).all()}


async def delivery_details(store: Store, key: str, destination: str | None) -> list[dict[str, Any]]:
    """Everything that is kept of the deliveries with that key; several destinations may have one each."""
    d = ENGINE.deliveries
    query = select(d).where(d.c.key == key).order_by(d.c.destination)
    if destination is not None:
        query = query.where(d.c.destination == destination)
    async with store.reading() as conn:
        rows = (await conn.execute(query)).mappings().all()
    return [
        {str(name): row[name] for name in row}
        | {name: orjson.loads(row[name] or "null") for name in ("payload", "outcome", "history")}
        for row in rows
    ]


def _listed(row: Row[Any]) -> ListedDelivery:
    outcome = orjson.loads(row.outcome or "{}")
    return ListedDelivery(
        destination=row.destination,
        key=row.key,
        lane=row.lane,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        next_attempt_at=row.next_attempt_at,
        finished_at=row.finished_at,
        reason=str(outcome.get("reason", "")),
    )
