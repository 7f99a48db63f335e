"""Budgets that destinations and replicas share: a row per budget says when it is free again.

A leaky bucket: evenly spaced at the rate, with a burst of a tenth of its count (at least one row), so that no window of
the vendor sees more than 110 % of it. Who may run further ahead (`Budget.ahead`) takes from the others' future. A
moment that this clock cannot have written (one of ours was ahead) counts as a bucket with room for one row.

On PostgreSQL the budget is a part of the claim's statement (decision 183); SQLite has one writer, and it is asked
before and written after.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    Update,
    bindparam,
    case,
    cast,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.delivery.destination import Budget
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_for

SKEW = timedelta(seconds=5)  # by which clocks of replicas may differ


@dataclass(frozen=True)
class Allowance:
    """What a budget allows now: up to `rows`; `more_at` is when there is more, None when all that was asked for is."""

    rows: int
    start: datetime
    more_at: datetime | None


async def acquire(conn: AsyncConnection, budget: Budget, rows: int, now: datetime) -> Allowance:
    """Begin a budget that is new, and say how many of `rows` it allows now. For SQLite, which has one writer."""
    await begin(conn, budget, now)
    cost, burst = _cost(budget), _burst(budget)
    free_at: datetime = (await conn.execute(_FREE_AT, {"b_rate": _name(budget)})).scalar_one()
    start = max(free_at, now)
    if start > now + _furthest(budget) + SKEW:
        start = now + burst - cost
    granted = min(rows, max(0, (now + burst - start) // cost))
    more_at = None if granted == rows else start + (granted + 1) * cost - burst
    return Allowance(granted, start, more_at)


async def spend(conn: AsyncConnection, budget: Budget, allowance: Allowance, rows: int) -> None:
    """Take `rows` rows from what was acquired in this transaction."""
    if rows:
        free_at = allowance.start + rows * _cost(budget)
        await conn.execute(_SPEND, {"b_rate": _name(budget), "moment": free_at})


async def begin(conn: AsyncConnection, budget: Budget, now: datetime) -> None:
    """Make sure that the budget has its row."""
    first = [{"name": _name(budget), "free_at": now}]
    await conn.execute(_first_use(conn.dialect.name), first)


def parameters(budget: Budget) -> dict[str, Any]:
    """What `allowed` and `spent` want to know of the budget."""
    return {
        "b_rate": _name(budget),
        "b_cost": _cost(budget),
        "b_burst": _burst(budget),
        "b_furthest": _furthest(budget) + SKEW,
    }


_R = ENGINE.rates
_MOMENT = _R.c.free_at.type
_NAME = _R.c.name == bindparam("b_rate")
_FREE_AT = select(_R.c.free_at).where(_NAME)
_SPEND = update(_R).where(_NAME).values(free_at=bindparam("moment", type_=_MOMENT))


def allowed(rows: ColumnElement[int], now: ColumnElement[datetime]) -> CTE:
    """`acquire` as a part of a statement of PostgreSQL: one row (none where the budget has none) with `granted`,
    `start` and `more_at`; the budget is locked until the transaction ends.
    """
    cost, burst = bindparam("b_cost", type_=Interval), bindparam("b_burst", type_=Interval)
    locked = select(_R.c.name, _R.c.free_at).where(_NAME).with_for_update().cte("rate")
    usual = func.greatest(locked.c.free_at, now, type_=_MOMENT)
    ahead = usual > now + bindparam("b_furthest", type_=Interval)
    start = case((ahead, now + burst - cost), else_=usual)
    begun = select(locked.c.name, start.label("start")).cte("begun")
    room = func.floor(_seconds(now + burst - begun.c.start) / _seconds(cost))
    granted = cast(func.least(rows, func.greatest(0, room)), Integer)
    some = select(begun, granted.label("granted")).cte("some")
    more_at = some.c.start + (some.c.granted + 1) * cost - burst
    all_of_it = some.c.granted == rows
    return (
        select(some, case((~all_of_it, more_at)).label("more_at")).cte("allowed").prefix_with("MATERIALIZED")
    )


def spent(allowance: CTE, rows: FromClause) -> Update:
    """`spend` as a later part of that statement, for as many as `rows` has.

    What it took is a row beside the budget's, never a query inside the SET: PostgreSQL asks anew for a row that
    somebody changed since the snapshot, and may not run `rows` a second time for that.
    """
    cost = bindparam("b_cost", type_=Interval)
    taken = select(func.count().label("number")).select_from(rows).cte("taken")
    free_at = (allowance.c.start + taken.c.number * cost).label("free_at")
    used = allowance.join(taken, taken.c.number > 0)
    moved = select(allowance.c.name, free_at).select_from(used).cte("moved")
    return update(_R).where(_R.c.name == moved.c.name).values(free_at=moved.c.free_at)


def _seconds(length: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.extract("epoch", length)


@cache
def _first_use(dialect: str) -> Any:
    return insert_for(dialect, _R).on_conflict_do_nothing()


def _name(budget: Budget) -> str:
    return f"budget:{budget.name}"


def _cost(budget: Budget) -> timedelta:
    return budget.rate.interval * budget.cost


def _burst(budget: Budget) -> timedelta:
    usual = budget.rate.interval * (budget.rate.count // 10)
    return max(_cost(budget), usual if budget.ahead is None else budget.ahead)


def _furthest(budget: Budget) -> timedelta:
    """How far ahead of the pace any of those that share the budget may be."""
    return _burst(budget) if budget.ahead is None else max(_burst(budget), budget.rate.per)
