"""The service as these tests run it: handlers and courier around one store, and how its deliveries ended."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import select

from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.ticket_records.destination import TicketRecords
from sfdc_sync.ticket_records.facts import Facts
from sfdc_sync.ticket_records.handlers import TicketHandlers
from supportops.contracts import Event
from supportops.delivery import Courier, Destination
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.tables import ENGINE
from supportops.vendors.zendesk import Zendesk
from tests.support.engine import hasty
from tests.support.eventually import eventually

SHORT = timedelta(milliseconds=300)
RULES = SfdcPolicy(
    linger=timedelta(milliseconds=30),
    retry=(timedelta(milliseconds=50),) * 10,
    pauses=Pauses(quota=SHORT, login=SHORT, login_away=SHORT, config=SHORT, storage=SHORT),
)


@dataclass
class Service:
    """The service's handlers and courier around one store."""

    store: Store
    records: TicketRecords
    metrics: Metrics
    policy: SfdcPolicy
    zendesk: Zendesk
    facts: Facts
    more: list[Destination] = field(default_factory=list)
    """Other destinations than that of records."""

    async def hears(self, *events: Event) -> None:
        """As the consumer does with a batch of new events."""
        handlers = TicketHandlers(self.policy.ticket_record).table()
        async with self.store.transaction() as tx:
            await handlers.run(list(events), tx)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """The courier runs meanwhile."""
        stopping = asyncio.Event()
        running = asyncio.create_task(
            Courier(self.store, [hasty(each) for each in (self.records, *self.more)], self.metrics).run(
                stopping
            )
        )
        try:
            yield
        finally:
            stopping.set()
            await running


def with_rules(**changes: object) -> SfdcPolicy:
    """RULES with another `ticket_record:` than the default."""
    return RULES.model_copy(update={"ticket_record": TicketRecordPolicy.model_validate(changes)})


async def states(store: Store) -> dict[str, str]:
    """The state and kind of outcome of every delivery by key."""
    d = ENGINE.deliveries
    async with store.reading() as conn:
        rows = (await conn.execute(select(d.c.key, d.c.state, d.c.outcome))).all()
    return {
        row.key: f"{row.state} {orjson.loads(row.outcome)['kind'] if row.outcome else ''}" for row in rows
    }


async def settled(store: Store) -> dict[str, str]:
    """`states`, as soon as nothing waits any more."""

    async def all_finished() -> dict[str, str]:
        found = await states(store)
        return {} if any(state.startswith(("waiting", "leased")) for state in found.values()) else found

    return await eventually(all_finished, within=20, about="an end of all deliveries")


async def events_written(store: Store) -> list[Mapping[str, Any]]:
    """The values of the RecordWritten events that wait for the broker, oldest first."""
    async with store.reading() as conn:
        rows = (await conn.execute(select(ENGINE.outbox).order_by(ENGINE.outbox.c.id))).all()
    assert {row.topic for row in rows} <= {"salesforce.records"}
    return [orjson.loads(row.value) for row in rows]
