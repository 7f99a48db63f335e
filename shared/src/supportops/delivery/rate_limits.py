"""Budgets that destinations and replicas share: a row per budget says when it is free again.

A leaky bucket: evenly spaced at the rate, with a burst of a tenth of its count (at least one row), so that no window of
the vendor sees more than 110 % of it. Who may run further ahead (`Budget.ahead`) takes from the others' future.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
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
    """Lock the budget until the transaction ends: how many of `rows` it allows now.

    A moment that this clock cannot have written (one of ours was ahead) counts as a bucket with room for one row.
    """
    cost, burst = _cost(budget), _burst(budget)
    start = max(await _locked(conn, budget.name, now), now)
    if start > now + _furthest(budget) + SKEW:
        start = now + burst - cost
    granted = min(rows, max(0, (now + burst - start) // cost))
    more_at = None if granted == rows else start + (granted + 1) * cost - burst
    return Allowance(granted, start, more_at)


async def spend(conn: AsyncConnection, budget: Budget, allowance: Allowance, rows: int) -> None:
    """Take `rows` rows from what was acquired in this transaction."""
    if rows:
        free_at = allowance.start + rows * _cost(budget)
        await conn.execute(_SPEND, {"rate": _name(budget.name), "moment": free_at})


async def _locked(conn: AsyncConnection, name: str, now: datetime) -> datetime:
    first = [{"name": _name(name), "free_at": now}]
    await conn.execute(_first_use(conn.dialect.name), first)
    free_at: datetime = (await conn.execute(_LOCKED, {"rate": _name(name)})).scalar_one()
    return free_at


_R = ENGINE.rates
_LOCKED = select(_R.c.free_at).where(_R.c.name == bindparam("rate")).with_for_update()
_SPEND = (
    update(_R)
    .where(_R.c.name == bindparam("rate"))
    .values(free_at=bindparam("moment", type_=_R.c.free_at.type))
)


@cache
def _first_use(dialect: str) -> Any:
    return insert_for(dialect, _R).on_conflict_do_nothing()


def _name(budget: str) -> str:
    return f"budget:{budget}"


def _cost(budget: Budget) -> timedelta:
    return budget.rate.interval * budget.cost


def _burst(budget: Budget) -> timedelta:
    usual = budget.rate.interval * (budget.rate.count // 10)
    return max(_cost(budget), usual if budget.ahead is None else budget.ahead)


def _furthest(budget: Budget) -> timedelta:
    """How far ahead of the pace any of those that share the budget may be."""
    return _burst(budget) if budget.ahead is None else max(_burst(budget), budget.rate.per)
