"""A lease for work that somebody starts is kept while the work waits for a server of other people."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from supportops.clock import SystemClock
from supportops.store import Store
from supportops.store.tables import ENGINE
from supportops.workers import RunLease
from supportops.workers.run_lease import Busy, Lost
from tests.support.engine import store_on
from tests.support.eventually import eventually

SPAN = timedelta(seconds=1)


async def until(store: Store) -> datetime:
    async with store.reading() as conn:
        found: datetime = (await conn.execute(select(ENGINE.leases.c.until))).scalar_one()
        return found


async def test_a_run_that_waits_longer_than_its_lease_keeps_it(new_database: Callable[[str], str]) -> None:
    async with store_on(new_database("sfdc_sync"), clock=SystemClock()) as store:
        waiting, other = RunLease("x", store, SPAN), RunLease("x", store, SPAN)
        async with waiting.held():
            first = await until(store)

            async def renewed() -> bool:
                return await until(store) > first + SPAN

            await eventually(renewed, about="a lease that is renewed beside the work")
            with pytest.raises(Busy):
                await other._take()
            await waiting.renew()
        async with other.held():
            with pytest.raises(Lost):
                await waiting.renew()
