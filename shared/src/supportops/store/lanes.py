"""Lanes: one row per lane of deliveries says when it is worth a look, so that a claim costs the same at any backlog.

Whoever makes a delivery claimable earlier lowers `claimable_at` in the same transaction (`touch`); whoever ends a
call, or found a lane whose moment was too early, computes it anew (`refresh`). It may be too early and never too late:
what is computed from a state that has changed meanwhile (`version`) is replaced by "now".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    case,
    column,
    delete,
    func,
    literal,
    or_,
    select,
    table,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.key_lookup import for_each, parameter_rows
from supportops.store.tables import ENGINE, active
from supportops.store.upsert import insert_for
from supportops.store.writes import Shape, Write

_D, _L = ENGINE.deliveries, ENGINE.lanes
_NOW = bindparam("now", type_=_L.c.claimable_at.type)
_BEHIND_ALL = 2**63 - 1  # past every position


@dataclass(frozen=True, order=True)
class Lane:
    """A lane of a destination."""

    destination: str
    lane: str


def touches(
    moments: Mapping[Lane, datetime],
    flying: Mapping[Lane, datetime],
    now: datetime,
    *,
    rearmed: str = "",
) -> list[Write]:
    """Something of each lane may be claimable at its moment: make sure that it is looked at then.

    `flying`: until when a row that was moved here is in flight. `rearmed`: the same from an earlier part of the
    statement. All other calls in flight hold their lane's row themselves: to look for their leases here might find one
    that ends meanwhile, and hold the lane until a moment that nobody waits for any more.
    """
    rows = [
        {"destination": key.destination, "lane": key.lane, "moment": moments[key], "held": flying.get(key)}
        for key in sorted(moments)
    ]
    return [Write(Shape(_touch, (rearmed,)), rows, {"now": now})] if rows else []


async def refresh(
    conn: AsyncConnection,
    paced: Mapping[Lane, datetime | None],
    now: datetime,
    *,
    only_unchanged: bool = False,
) -> dict[str, datetime]:
    """Compute anew when each lane is worth a look; the earliest such moment of each destination that has one.

    `paced`: before that moment the lane's pace allows no call. A lane that somebody changes meanwhile is looked at now;
    with `only_unchanged` (for whoever has no call of it in hand) it is left as it is.
    """
    rows = [{"destination": key.destination, "lane": key.lane, "paced": paced[key]} for key in sorted(paced)]
    found = await for_each(conn, _refresh(conn.dialect.name, only_unchanged), rows, {"now": now})
    return earliest((row.destination, row.claimable_at) for row in found)


async def hold(conn: AsyncConnection, lanes: Iterable[Lane], until: datetime) -> None:
    """Calls of these lanes are still in flight: nobody looks at them before `until`."""
    rows = [{"destination": each.destination, "lane": each.lane} for each in sorted(lanes)]
    await for_each(conn, _hold(conn.dialect.name), rows, {"until": until})


async def adopt(conn: AsyncConnection, limit: int) -> int:
    """Give a lane to up to `limit` of those that have deliveries and no row, written by a process of an earlier version
    or by hand; how many.
    """
    return (await conn.execute(_adopt(conn.dialect.name), {"max_rows": limit})).rowcount


async def forget_idle(conn: AsyncConnection, now: datetime, limit: int) -> int:
    """Remove up to `limit` lanes in which nothing waits and whose pace is over; how many."""
    idle = (_L.c.claimable_at.is_(None), or_(_L.c.free_at.is_(None), _L.c.free_at <= now))
    some = select(_L.c.destination, _L.c.lane).where(*idle).limit(limit)
    which = tuple_(_L.c.destination, _L.c.lane).in_(some.with_for_update(skip_locked=True))
    return (await conn.execute(delete(_L).where(which, *idle))).rowcount


def earliest(moments: Iterable[tuple[str, datetime | None]]) -> dict[str, datetime]:
    """The earliest moment of each name that has one."""
    first: dict[str, datetime] = {}
    for name, moment in moments:
        if moment is not None:
            first[name] = min(moment, first.get(name, moment))
    return first


def head(destination: Any, lane: Any, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """`column` of the first of a lane's due rows by position: the only one that may be claimed."""
    d = _D.alias("head")
    mine = (d.c.destination == destination, d.c.lane == lane, active(d), d.c.due_at <= _NOW)
    return _within(select(d.c[column.name]).where(*mine).order_by(d.c.position, d.c.id).limit(1), lane)


def later(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The later of two moments; null counts as none."""
    return case((one > other, one), else_=func.coalesce(other, one))


def sooner(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The sooner of two moments; null counts as none."""
    return case((one < other, one), else_=func.coalesce(other, one))


_LANE = {"destination": _L.c.destination, "lane": _L.c.lane}
_TOUCH = _LANE | {"moment": _L.c.claimable_at, "held": _L.c.free_at}
_PACED = _LANE | {"paced": _L.c.free_at}


def _touch(dialect: str, prefix: str, rearmed: str) -> Any:
    """A lane that has a call in flight is not looked at before its lease ends."""
    v = parameter_rows(_TOUCH, dialect, prefix)
    held = later(_rearmed(rearmed, v), v["held"]) if rearmed else v["held"]
    seen = {"destination": v["destination"], "lane": v["lane"], "moment": v["moment"], "held": held}
    rows = _once(select(*_named(seen)), f"{prefix}_rows").c
    until = case((rows.held > _NOW, rows.held))
    insert = insert_for(dialect, _L).from_select(
        ["destination", "lane", "claimable_at", "free_at", "version"],
        select(rows.destination, rows.lane, later(until, rows.moment), until, literal(1)).where(true()),
    )
    new = insert.excluded
    free_at = later(_L.c.free_at, new.free_at)
    return insert.on_conflict_do_update(
        index_elements=["destination", "lane"],
        set_={
            "claimable_at": _not_before(
                case((free_at > _NOW, free_at)), sooner(_L.c.claimable_at, new.claimable_at)
            ),
            "free_at": free_at,
            "version": _L.c.version + 1,
        },
    )


def _rearmed(name: str, lane: Mapping[str, ColumnElement[Any]]) -> ScalarSelect[Any]:
    """Until when a row of the lane is in flight that the same statement has armed anew."""
    until = column("lease_until", _L.c.free_at.type)
    part = table(name, column("destination", Text), column("lane", Text), until)
    mine = (part.c.destination == lane["destination"], part.c.lane == lane["lane"])
    return _within(select(func.max(until)).select_from(part).where(*mine), lane["lane"])


@cache
def _adopt(dialect: str) -> Any:
    known = select(_L.c.lane).where(_L.c.destination == _D.c.destination, _L.c.lane == _D.c.lane)
    lost = select(_D.c.destination, _D.c.lane).where(active(_D), ~known.exists()).distinct()
    lanes = lost.limit(bindparam("max_rows")).subquery("lost").c
    d = _D.alias("d")
    mine = (d.c.destination == lanes.destination, d.c.lane == lanes.lane)
    first = _within(select(func.min(d.c.next_attempt_at)).where(*mine, active(d)), lanes.lane)
    held = _within(select(func.max(d.c.lease_until)).where(*mine, d.c.lease_until.is_not(None)), lanes.lane)
    rows = select(lanes.destination, lanes.lane, _not_before(held, first), held, literal(1))
    names = ["destination", "lane", "claimable_at", "free_at", "version"]
    return insert_for(dialect, _L).from_select(names, rows.where(true())).on_conflict_do_nothing()


@cache
def _hold(dialect: str) -> Any:
    v, until = parameter_rows(_LANE, dialect), bindparam("until", type_=_L.c.free_at.type)
    mine = (_L.c.destination == v["destination"], _L.c.lane == v["lane"])
    return update(_L).where(*mine).values(free_at=until, claimable_at=until, version=_L.c.version + 1)


@cache
def _refresh(dialect: str, only_unchanged: bool) -> Any:
    v, seen = parameter_rows(_PACED, dialect), _L.alias("seen")
    destination, lane = v["destination"], v["lane"]
    found = _once(
        select(
            *_named(v),
            seen.c.version,
            _in_flight(destination, lane).label("flying"),
            head(destination, lane, _D.c.position).label("position"),
            head(destination, lane, _D.c.next_attempt_at).label("first"),
        ).where(seen.c.destination == destination, seen.c.lane == lane),
        "found",
    )
    joins = _joins(found.c.destination, found.c.lane, found.c.position)
    f = _once(select(found, joins.label("joins")), "looked").c
    free_at, unchanged = later(f.flying, f.paced), _L.c.version == f.version
    return (
        update(_L)
        .where(_L.c.destination == f.destination, _L.c.lane == f.lane)
        .where(unchanged if only_unchanged else true())
        .values(
            claimable_at=case(
                (unchanged, _not_before(free_at, sooner(f.first, f.joins))), else_=later(free_at, _NOW)
            ),
            free_at=free_at,
            version=_L.c.version + 1,
        )
        .returning(_L.c.destination, _L.c.claimable_at)
    )


def _not_before(free_at: ColumnElement[Any], moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """`moment`, at the soonest when the lane is free; null where nothing waits."""
    return case((free_at > moment, free_at), else_=moment)


def _named(values: Mapping[str, ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [value.label(name) for name, value in values.items()]


def _once(query: Select[Any], name: str) -> CTE:
    """Computed once per row, however often its columns are named."""
    return query.cte(name).prefix_with("MATERIALIZED")


def _in_flight(destination: Any, lane: Any) -> ScalarSelect[Any]:
    """Until when a call of the lane is in flight, whatever became of its row meanwhile; null: none is."""
    d = _D.alias("flying")
    flying = (d.c.lease_until.is_not(None), d.c.lease_until > _NOW)
    mine = (d.c.destination == destination, d.c.lane == lane, *flying)
    return _within(select(func.max(d.c.lease_until)).where(*mine), lane)


def _joins(destination: Any, lane: Any, position: Any) -> ScalarSelect[Any]:
    """When a row joins the lane that will go before the one at `position`: those behind it change nothing."""
    d = _D.alias("future")
    before = d.c.position <= func.coalesce(position, literal(_BEHIND_ALL))
    mine = (d.c.destination == destination, d.c.lane == lane, active(d), before, d.c.due_at > _NOW)
    return _within(select(func.min(d.c.due_at)).where(*mine), lane)


def _within(query: Select[Any], lane: Any) -> ScalarSelect[Any]:
    """`query` as a value of the statement that `lane` is a column (or a parameter) of."""
    table = getattr(lane, "table", None)
    return (query if table is None else query.correlate(table)).scalar_subquery()
