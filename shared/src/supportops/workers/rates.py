"""Paces and budgets that replicas share: a row per rate says when it is free again."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into
from supportops.workers.destination import Budget


class Rates:
    """The rates table, within the transaction of one claim (which holds the lock of its destination)."""

    def __init__(self, conn: AsyncConnection, now: datetime) -> None:
        self._conn = conn
        self._now = now

    async def busy_until(self, names: Iterable[str]) -> dict[str, datetime]:
        """Those of `names` that are not free now, with the moment when they will be."""
        query = select(ENGINE.rates.c.name, ENGINE.rates.c.free_at).where(
            ENGINE.rates.c.name.in_(sorted(set(names))), ENGINE.rates.c.free_at > self._now
        )
        rows = await self._conn.execute(query)
        return {row.name: row.free_at for row in rows}

    async def set_busy(self, until: Mapping[str, datetime]) -> None:
        """Let each named rate be busy until its moment; one that is busy for longer already stays so."""
        insert = insert_into(self._conn, ENGINE.rates)
        statement = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"free_at": insert.excluded.free_at},
            where=ENGINE.rates.c.free_at < insert.excluded.free_at,
        )
        rows = [{"name": name, "free_at": until[name]} for name in sorted(until)]
        await self._conn.execute(statement, rows)

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
        rates = ENGINE.rates
        await self._conn.execute(
            insert_into(self._conn, rates).on_conflict_do_nothing(), [{"name": name, "free_at": self._now}]
        )
        free_at: datetime = (
            await self._conn.execute(select(rates.c.free_at).where(rates.c.name == name).with_for_update())
        ).scalar_one()
        return free_at


def _budget_name(budget: Budget) -> str:
    return f"budget:{budget.name}"


def _fits(room: timedelta, cost: timedelta) -> int:
    return max(0, room // cost)
