"""A claim costs the same at any backlog: buffers that PostgreSQL touches, counted by EXPLAIN ANALYZE."""

from datetime import timedelta
from typing import Any

import pytest

from supportops.delivery.claims import LEASE
from supportops.delivery.lane_heads import Wanted, _on_postgres
from supportops.store import Store
from tests.support.backlog import DESTINATION, fill
from tests.support.engine import store_on

pytestmark = [
    pytest.mark.parametrize("dialect", ["postgres"], indirect=True),
    pytest.mark.timeout(300),
]
CLAIMED = 600  # rows of one claim: Salesforce and ratings ask for more than 512
FEW, MANY = 1_000, 50_000
ROOM = 1.5  # indexes grow by a level, pages are fuller or emptier


@pytest.mark.parametrize("rows_a_lane", [1, 50])
async def test_a_claim_touches_as_many_pages_at_any_backlog(app_database: str, rows_a_lane: int) -> None:
    touched = []
    async with store_on(app_database) as store:
        for rows in (FEW * rows_a_lane, MANY):
            await fill(store, rows, rows // rows_a_lane)
            touched.append(await pages(store))
    few, many = touched
    assert many < few * ROOM, touched


async def pages(store: Store) -> int:
    """Shared buffers that one claim touches."""
    now = store.clock.now()
    wanted = Wanted(DESTINATION, CLAIMED, now, CLAIMED, now - timedelta(0), "token", now + LEASE)
    compiled = _on_postgres(budgeted=False).compile(dialect=_dialect(store))
    async with store.transaction() as tx:
        found = await tx.conn.exec_driver_sql(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}",
            tuple(
                compiled.construct_params(wanted.parameters())[name] for name in compiled.positiontup or ()
            ),
        )
        plan: Any = found.scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def _dialect(store: Store) -> Any:
    return store._engine.dialect
