"""What csat's database holds, read back by tests; and ways to put something there."""

from datetime import datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from csat import tables
from csat.surveys import repository
from csat.surveys.repository import Survey
from supportops.contracts import Event, decode
from supportops.store import Store
from supportops.store.outbox import unpack_headers


async def promised(store: Store) -> list[Event]:
    """The events that wait in the outbox, oldest first."""
    outbox = tables.engine.outbox
    async with store.reading() as conn:
        rows = (await conn.execute(select(outbox).order_by(outbox.c.id))).all()
    return [decode(unpack_headers(row.headers), row.value) for row in rows]


async def deliveries(store: Store, destination: str) -> dict[str, Any]:
    """The deliveries of a destination by key."""
    table = tables.engine.deliveries
    async with store.reading() as conn:
        rows = (await conn.execute(select(table).where(table.c.destination == destination))).all()
    return {row.key: row for row in rows}


async def rows_of(store: Store, table: Any) -> list[Any]:
    """Every row of a table."""
    async with store.reading() as conn:
        return list((await conn.execute(select(table))).all())


async def sent_survey(store: Store, ticket_id: str, solved_at: datetime) -> Survey:
    """A survey that was asked a moment ago."""
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, ticket_id, solved_at, "5")
        await repository.record_sent(tx, survey, tx.now)
    return survey


def payload_of(row: Any) -> dict[str, Any]:
    """The payload of a delivery row."""
    loaded: dict[str, Any] = orjson.loads(row.payload)
    return loaded


def on(dialect: str) -> pytest.MarkDecorator:
    """One database is enough where the other one cannot make a difference."""
    return pytest.mark.parametrize("dialect", [dialect])
