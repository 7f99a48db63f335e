"""Paces and budgets that replicas share: a row per rate says when it is free again."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.delivery.destination import Budget
from supportops.store.key_lookup import among, as_parameter
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_for


class Rates:
    """The rates table, within the transaction of one claim (which holds the lock of its destination)."""

    def __init__(self, conn: AsyncConnection, now: datetime) -> None:
        self._conn = conn
        self._now = now

    async def busy_until(self, names: Iterable[str]) -> dict[str, datetime]:
        """Those of `names` that are not free now, with the moment when they will be."""
        dialect = self._conn.dialect.name
        parameters = {"names": as_parameter(sorted(set(names)), dialect), "now": self._now}
        rows = await self._conn.execute(_busy(dialect), parameters)
        return {row.name: row.free_at for row in rows}

    async def set_busy(self, until: Mapping[str, datetime]) -> None:
        """Let each named rate be busy until its moment; one that is busy for longer already stays so."""
        rows = [{"name": name, "free_at": until[name]} for name in sorted(until)]
        await self._conn.execute(_set_busy(self._conn.dialect.name), rows)

    async def take(self, budget: Budget, rows: int) -> tuple[int, datetime | None]:
        """Spend the budget on up to `rows` rows: how many it allows now, and when there is more if not all.

        A leaky bucket: evenly spaced at the rate, with a burst of a tenth of its count (at least one row), so that
        no window of the vendor sees more than 110 % of it. The row is locked: other destinations may share it.
        """
        cost = budget.rate.interval * budget.cost
        burst = max(cost, budget.rate.interval * (budget.rate.count // 10))
        start = max(await self._locked(_budget_name(budget)), self._now)
        granted = min(rows, _fits(self._now + burst - start, cost))
        if granted:
            await self.set_busy({_budget_name(budget): start + granted * cost})
        if granted == rows:
            return granted, None
        return granted, start + (granted + 1) * cost - burst

    async def _locked(self, name: str) -> datetime:
        first = [{"name": name, "free_at": self._now}]
        await self._conn.execute(_first_use(self._conn.dialect.name), first)
        free_at: datetime = (await self._conn.execute(_LOCKED, {"rate": name})).scalar_one()
        return free_at


_LOCKED = select(ENGINE.rates.c.free_at).where(ENGINE.rates.c.name == bindparam("rate")).with_for_update()


@cache
def _busy(dialect: str) -> Select[Any]:
    rates = ENGINE.rates
    late = rates.c.free_at > bindparam("now", type_=rates.c.free_at.type)
    return select(rates.c.name, rates.c.free_at).where(among(rates.c.name, "names", dialect), late)


@cache
def _set_busy(dialect: str) -> Any:
    insert = insert_for(dialect, ENGINE.rates)
    return insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"free_at": insert.excluded.free_at},
        where=ENGINE.rates.c.free_at < insert.excluded.free_at,
    )


@cache
def _first_use(dialect: str) -> Any:
    return insert_for(dialect, ENGINE.rates).on_conflict_do_nothing()


def _budget_name(budget: Budget) -> str:
    return f"budget:{budget.name}"


def _fits(room: timedelta, cost: timedelta) -> int:
    return max(0, room // cost)
