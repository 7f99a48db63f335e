"""Leasing the heads of lanes: the statements of a claim.

One statement on PostgreSQL: the lanes whose moment has come (locked; those that others hold are skipped), their heads,
the guarded lease of these, and the lanes' new moment. What it found by its snapshot it asks again of the newest row, by
state, generation and moment, so that nothing is leased whose cancel or end was committed meanwhile; it waits for
nobody's lock but that of a budget. SQLite has one writer, and does the same in several statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.delivery import rate_limits
from supportops.delivery.destination import Budget
from supportops.store.key_lookup import SQLITE, among, as_parameter
from supportops.store.lanes import head
from supportops.store.tables import ENGINE, active

_D, _L, _B = ENGINE.deliveries, ENGINE.lanes, ENGINE.breakers


@dataclass(frozen=True)
class Wanted:
    """What a claim asks for. `full` rows, or one that waits since `ripe`, are enough to begin; `token` and `until` are
    the lease. `probing`: whatever the destination's breaker says. `asked`: a call whose end nobody knows is asked
    about, not simply made again. `budget`: what the rows are taken from.
    """

    destination: str
    limit: int
    now: datetime
    full: int
    ripe: datetime
    token: str
    until: datetime
    probing: bool = False
    asked: bool = True
    budget: Budget | None = None

    def parameters(self) -> dict[str, Any]:
        """As the statements name them."""
        return {
            "b_destination": self.destination,
            "max_rows": self.limit,
            "now": self.now,
            "b_full": self.full,
            "b_ripe": self.ripe,
            "b_token": self.token,
            "b_until": self.until,
            "b_probing": self.probing,
            "b_asked": self.asked,
            **(rate_limits.parameters(self.budget) if self.budget else {}),
        }


@dataclass(frozen=True)
class Seen:
    """What a claim found.

    `leased`: rows that are ours now. `early`: lanes whose moment was too early. `ready`: how many heads could be
    claimed, and `since` when the first of them. `upcoming`: the next moment of any other lane. `breaker`: its state,
    when there is a row; `troubled`: it counts something. `granted`: how many rows the budget allowed, and `more_at`
    when it allows more; None when it allowed all that was asked for.
    """

    leased: Sequence[Row[Any]]
    early: Sequence[str]
    ready: int
    since: datetime | None
    upcoming: datetime | None
    breaker: str | None
    troubled: bool
    granted: int | None = None
    more_at: datetime | None = None


async def lease_heads(conn: AsyncConnection, wanted: Wanted) -> Seen:
    """Lease the heads of the lanes that wait longest."""
    if conn.dialect.name == SQLITE:
        return await _lease_on_sqlite(conn, wanted)
    statement = _on_postgres(budgeted=wanted.budget is not None)
    rows = (await conn.execute(statement, wanted.parameters())).all()
    if wanted.budget is not None and rows[0].granted is None:  # nobody has used it before
        await rate_limits.begin(conn, wanted.budget, wanted.now)
        rows = (await conn.execute(statement, wanted.parameters())).all()
    first, leased = rows[0], [row for row in rows if row.id is not None]
    return Seen(
        leased,
        first.early or [],
        first.ready,
        first.since,
        first.upcoming,
        first.breaker,
        bool(first.trouble),
        *((first.granted, first.more_at) if wanted.budget else ()),
    )


async def _lease_on_sqlite(conn: AsyncConnection, wanted: Wanted) -> Seen:
    if wanted.budget is None:
        return await _lease_step_by_step(conn, wanted)
    granted = await rate_limits.acquire(conn, wanted.budget, wanted.limit, wanted.now)
    within = replace(wanted, budget=None, limit=granted.rows, full=min(wanted.full, granted.rows))
    seen = await _lease_step_by_step(conn, within)
    await rate_limits.spend(conn, wanted.budget, granted, len(seen.leased))
    return replace(seen, granted=granted.rows, more_at=granted.more_at)


async def _lease_step_by_step(conn: AsyncConnection, wanted: Wanted) -> Seen:
    parameters, lease, mark = wanted.parameters(), *_leases_on_sqlite()
    rows = (await conn.execute(_heads_on_sqlite(), parameters)).all()
    ready = [row for row in rows if row.ready]
    ids = as_parameter([row.head_id for row in ready if row.enough], SQLITE)
    leased = {row.id: row for row in await conn.execute(lease, parameters | {"ids": ids})}
    lanes = as_parameter([row.lane for row in leased.values()], SQLITE)
    await conn.execute(mark, parameters | {"lanes": lanes})
    first = rows[0]
    return Seen(
        [leased[row.head_id] for row in ready if row.head_id in leased],
        [row.head_lane for row in rows if row.head_lane is not None and not row.ready],
        len(ready),
        min((row.since for row in ready), default=None),
        first.upcoming,
        first.breaker,
        bool(first.trouble),
    )


_destination: BindParameter[str] = bindparam("b_destination")
_now: BindParameter[datetime] = bindparam("now", type_=_L.c.claimable_at.type)
_until: BindParameter[datetime] = bindparam("b_until", type_=_L.c.claimable_at.type)
_ripe: BindParameter[datetime] = bindparam("b_ripe", type_=_L.c.claimable_at.type)


_max_rows: BindParameter[int] = bindparam("max_rows", type_=Integer)
_full: BindParameter[int] = bindparam("b_full", type_=Integer)


def _picked(limit: ColumnElement[int]) -> CTE:
    """Lanes whose moment has come, the longest waiting first; those of a broken destination are left alone."""
    broken = select(_B.c.destination).where(_B.c.destination == _destination, _B.c.state != "closed").exists()
    return (
        select(_L.c.lane, _L.c.claimable_at, _L.c.version)
        .where(_L.c.destination == _destination, _L.c.claimable_at <= _now)
        .where(or_(bindparam("b_probing"), ~broken))
        .order_by(_L.c.claimable_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=_L)
        .cte("picked")
    )


def _heads(limit: ColumnElement[int] = _max_rows) -> CTE:
    """The head of each picked lane. A lane that somebody changed since our snapshot has none that is ready."""
    picked, seen, d = _picked(limit), _L.alias("seen"), _D.alias("d")
    ready = and_(
        d.c.next_attempt_at <= _now,
        d.c.next_attempt_at <= picked.c.claimable_at,
        seen.c.version == picked.c.version,
    )
    lane = and_(seen.c.destination == _destination, seen.c.lane == picked.c.lane)
    return (
        select(
            picked.c.lane.label("head_lane"),
            d.c.id.label("head_id"),
            d.c.generation.label("head_generation"),
            d.c.position.label("head_position"),
            d.c.next_attempt_at.label("since"),
            func.coalesce(ready, False).label("ready"),
        )
        .select_from(picked)
        .join(seen, lane)
        .outerjoin(d, d.c.id == head(_destination, picked.c.lane, _D.c.id))
        .cte("heads")
    )


def _enough(heads: FromClause, full: ColumnElement[int] = _full) -> ColumnElement[bool]:
    """A full batch, or one that has waited long enough for company."""
    rows = or_(func.count() >= full, func.min(heads.c.since) <= _ripe)
    return select(rows).where(heads.c.ready).scalar_subquery()


def _circumstances() -> tuple[list[ColumnElement[Any]], FromClause]:
    """One row, and what to read of it: the next moment of another lane, and how the breaker stands."""
    others = (_L.c.destination == _destination, _L.c.claimable_at > _now)
    always = select(func.min(_L.c.claimable_at).label("upcoming")).where(*others).subquery("always")
    breaker = select(_B).where(_B.c.destination == _destination).subquery("breaker")
    trouble = or_(breaker.c.state != "closed", breaker.c.run > 0, breaker.c.refusals > 0)
    columns: list[ColumnElement[Any]] = [
        always.c.upcoming,
        breaker.c.state.label("breaker"),
        func.coalesce(trouble, False).label("trouble"),
    ]
    return columns, always.outerjoin(breaker, true())


def _lease(*which: Any) -> Update:
    return (
        update(_D)
        .where(*which, active(_D), _D.c.next_attempt_at <= _now)
        .values(
            state="leased",
            token=bindparam("b_token"),
            lease_until=_until,
            next_attempt_at=_until,
            attempts=_D.c.attempts + 1,
            uncertain=or_(_D.c.uncertain, and_(_D.c.state == "leased", bindparam("b_asked"))),
        )
    )


def _mark(*which: Any) -> Update:
    """A lane in flight is not worth a look before the lease ends."""
    return (
        update(_L)
        .where(_L.c.destination == _destination, *which)
        .values(claimable_at=_until, free_at=_until, version=_L.c.version + 1)
    )


@cache
def _on_postgres(*, budgeted: bool) -> Select[Any]:
    allowed = rate_limits.allowed(_max_rows, _now) if budgeted else None
    limit, full = (_max_rows, _full) if allowed is None else _within(allowed)
    heads = _heads(limit).prefix_with("MATERIALIZED")
    locked = (
        select(_D.c.id, heads.c.since)
        .where(_D.c.id == heads.c.head_id, heads.c.ready, _enough(heads, full))
        .where(active(_D), _D.c.next_attempt_at <= _now)
        .where(_D.c.generation == heads.c.head_generation, _D.c.lane == heads.c.head_lane)
        .with_for_update(skip_locked=True, of=_D)
        .cte("locked")
    )
    lease = _lease(_D.c.id == locked.c.id).returning(*_D.c, locked.c.since.label("waited_since"))
    leased = lease.cte("leased")
    marked = _mark(_L.c.lane == leased.c.lane).cte("marked")
    tally = select(
        func.array_agg(aggregate_order_by(heads.c.head_lane, heads.c.head_lane))
        .filter(~heads.c.ready)
        .label("early"),
        func.count().filter(heads.c.ready).label("ready"),
        func.min(heads.c.since).filter(heads.c.ready).label("since"),
    ).subquery("tally")
    columns, always = _circumstances()
    if allowed is not None:
        columns += [allowed.c.granted, allowed.c.more_at]
        always = always.outerjoin(allowed, true())
    found = (
        select(*columns, tally.c.early, tally.c.ready, tally.c.since, *leased.c[:-1])
        .select_from(always.join(tally, true()).outerjoin(leased, true()))
        .order_by(leased.c.waited_since, leased.c.position, leased.c.id)
        .add_cte(marked)
    )
    return found if allowed is None else found.add_cte(rate_limits.spent(allowed, leased).cte("spent"))


def _within(allowed: CTE) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """How many rows a budget allows, and how many of those are enough to begin."""
    rows = func.coalesce(select(allowed.c.granted).scalar_subquery(), 0)
    return rows, func.least(rows, _full)


@cache
def _heads_on_sqlite() -> Select[Any]:
    heads = _heads()
    names = (heads.c.head_lane, heads.c.head_id, heads.c.since, heads.c.ready)
    columns, always = _circumstances()
    return (
        select(*columns, *names, _enough(heads).label("enough"))
        .select_from(always.outerjoin(heads, true()))
        .order_by(heads.c.since, heads.c.head_position, heads.c.head_id)
    )


@cache
def _leases_on_sqlite() -> tuple[Any, Update]:
    lease = _lease(among(_D.c.id, "ids", SQLITE)).returning(*_D.c)
    return lease, _mark(among(_L.c.lane, "lanes", SQLITE))
