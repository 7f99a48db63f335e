"""Finding the heads of a destination's lanes: the rows that may be claimed now.

A row is claimable when it is active, past `next_attempt_at`, the first of its lane's due rows by position, and none
of its lane is in flight. Looked for among the lanes of the rows that wait longest. Where these are many and of few
lanes, all lanes are walked, one index probe each, so that a deep lane neither hides another nor is read through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    Row,
    ScalarSelect,
    Select,
    Subquery,
    bindparam,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.tables import ENGINE, active, waiting

WINDOW = 512  # rows that wait longest, of which the lanes are looked at first


@dataclass(frozen=True)
class Heads:
    """Claimable rows, and whether other rows are due that could not be had: of lanes in flight, or past the limit."""

    rows: Sequence[Row[Any]]
    more: bool


async def find_heads(conn: AsyncConnection, destination: str, now: datetime, limit: int) -> Heads:
    """Up to `limit` claimable rows of `destination`, the longest waiting first; locked on PostgreSQL."""
    parameters = {"destination": destination, "now": now, "max_rows": limit}
    heads: Sequence[Row[Any]] = (await conn.execute(_NEAREST, parameters)).all()
    if len(heads) == limit:
        return Heads(heads, more=True)
    seen = heads[0].seen if heads else (await conn.execute(_SEEN, parameters)).scalar_one()
    if seen >= WINDOW:
        heads = (await conn.execute(_ALL, parameters)).all()
    return Heads(heads, more=seen > len(heads))


_d = ENGINE.deliveries
_destination: BindParameter[str] = bindparam("destination")
_now: BindParameter[datetime] = bindparam("now", type_=_d.c.due_at.type)


def _due() -> CTE:
    """The lanes of the rows that wait longest, once per row."""
    d = _d.alias("due")
    mine = (d.c.destination == _destination, waiting(d), d.c.next_attempt_at <= _now)
    return select(d.c.lane).where(*mine).order_by(d.c.next_attempt_at).limit(WINDOW).cte("window_rows")


def _every_lane() -> Subquery:
    """The lanes that have an active row: each found by one probe behind the one before."""
    first, following = _d.alias("first_lane"), _d.alias("next_lane")
    mine = select(first.c.lane).where(first.c.destination == _destination, active(first))
    lanes = select(_one(mine, first.c.lane).label("lane")).cte("lanes", recursive=True)
    others = select(following.c.lane).where(
        following.c.destination == _destination, active(following), following.c.lane > lanes.c.lane
    )
    lanes = lanes.union_all(select(_one(others, following.c.lane)).where(lanes.c.lane.is_not(None)))
    return select(lanes.c.lane).where(lanes.c.lane.is_not(None)).subquery("every_lane")


def _one(query: Select[Any], *order: Any) -> ScalarSelect[Any]:
    """The first in the order of an index."""
    return query.order_by(*order).limit(1).scalar_subquery()


def _heads(lanes: Subquery, *more: Any) -> Select[Any]:
    d, first, flying = _d.alias("d"), _d.alias("first"), _d.alias("flying")
    due = select(first.c.id).where(
        first.c.destination == _destination,
        first.c.lane == lanes.c.lane,
        active(first),
        first.c.due_at <= _now,
    )
    head = _one(due.correlate(lanes), first.c.position, first.c.id)
    in_flight = exists().where(
        flying.c.destination == _destination,
        flying.c.lane == d.c.lane,
        flying.c.lease_until > _now,  # whatever the state: a call that was cancelled meanwhile still runs
    )
    return (
        select(d, *more)
        .where(d.c.id.in_(select(head).select_from(lanes)), d.c.next_attempt_at <= _now)
        .where(~in_flight)
        .order_by(d.c.next_attempt_at, d.c.position, d.c.id)
        .limit(bindparam("max_rows"))
        .with_for_update(skip_locked=True, of=d)
    )


_WINDOW_ROWS = _due()
_SEEN = select(func.count()).select_from(_WINDOW_ROWS)
_NEAREST = _heads(
    select(_WINDOW_ROWS.c.lane).distinct().subquery("near"), _SEEN.scalar_subquery().label("seen")
)
_ALL = _heads(_every_lane())
