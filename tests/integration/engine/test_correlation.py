"""One correlation id from the event that came first to the last outcome, through deliveries and follow-on events."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from supportops.contracts import RecordWritten, TicketEvent, TicketSolved
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.messaging import Handlers
from supportops.observability.logging import reset
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from supportops.store.outbox import unpack_headers
from supportops.store.tables import ENGINE
from tests.support.engine import running, solved
from tests.support.eventually import eventually


class Announcing:
    """Does its call, and publishes an event that says so without naming a cause."""

    spec = DestinationSpec("records", idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Done(then=_announce) for _ in deliveries]


def _announce(tx: Transaction) -> None:
    tx.publish(
        RecordWritten(
            id="written-1",
            source="/test",
            time=datetime(2026, 11, 2, tzinfo=UTC),
            subject="17",
            ticket_id="17",
            record_id="a00000000000001AAA",
            created=True,
            version="1",
        )
    )
    tx.deliveries.schedule("tags", "17", lane="17", payload={})


def _schedule(event: TicketEvent, tx: Transaction) -> None:
    tx.deliveries.schedule("records", event.id, lane=event.ticket_id, payload={"ticket_id": event.ticket_id})


async def handle(store: Store, *events: TicketSolved) -> None:
    async with store.transaction() as tx:
        await Handlers().on(TicketSolved, _schedule).run(list(events), tx)


@pytest.fixture(autouse=True)
def _unconfigured() -> None:
    """Lines are caught where nobody has set up logging before."""
    reset()


async def test_what_follows_from_an_event_carries_its_id(live_store: Store) -> None:
    with capture_logs() as lines:
        async with running(Courier(live_store, [Announcing()], Metrics())):
            await handle(live_store, solved("17", event_id="from-the-webhook"))
            assert await eventually(lambda: [row for row in lines if row["event"] == "delivery.attempted"])
    (attempted,) = [row for row in lines if row["event"] == "delivery.attempted"]
    assert attempted["correlation_id"] == "from-the-webhook"
    async with live_store.reading() as conn:
        headers = (await conn.execute(select(ENGINE.outbox.c.headers))).scalar_one()
        d = ENGINE.deliveries
        payload = (await conn.execute(select(d.c.payload).where(d.c.destination == "tags"))).scalar_one()
    assert dict(unpack_headers(headers))["ce_correlationid"] == b"from-the-webhook"
    assert payload == '{"correlation_id":"from-the-webhook"}'


async def test_in_a_batch_everybody_keeps_his_own(store: Store) -> None:
    caused = solved("18", event_id="second").model_copy(update={"correlation_id": "root-of-second"})
    await handle(store, solved("17", event_id="first"), caused)
    d = ENGINE.deliveries
    async with store.reading() as conn:
        rows = (await conn.execute(select(d.c.key, d.c.payload).order_by(d.c.key))).all()
    assert [(row.key, row.payload) for row in rows] == [
        ("first", '{"correlation_id":"first","ticket_id":"17"}'),
        ("second", '{"correlation_id":"root-of-second","ticket_id":"18"}'),
    ]
