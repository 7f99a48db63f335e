"""What a webhook costs ingest's database, its publishing included."""

from collections.abc import Callable
from pathlib import Path

from supportops.observability.metrics import Metrics
from supportops.workers import Relay
from tests.integration.ingest.app import running as ingest_on
from tests.support import zendesk_bodies as z
from tests.support.engine import running
from tests.support.eventually import eventually
from tests.support.records import FakePublisher
from tests.support.statements import counted

WEBHOOKS = 20
BUDGET = 3


async def test_a_webhook_costs_three_statements(new_postgres: Callable[[str], str], tmp_path: Path) -> None:
    """One after the other, as with little traffic: kept, counted, published, forgotten."""
    broker = FakePublisher()
    async with ingest_on(new_postgres("ingest"), tmp_path) as ingest:
        with counted(ingest.store) as texts:
            async with running(Relay(broker, ingest.store, Metrics())):
                bodies = [
                    z.native("ticket.undeleted", detail={"id": str(number)})
                    for number in range(1, WEBHOOKS + 1)
                ]
                await ingest.send(bodies[0])
                texts.clear()
                for body in bodies[1:]:
                    assert (await ingest.send(body)).status_code == 200
                    await eventually(lambda wanted=body["id"]: any(wanted in each for each in broker.ids))  # type: ignore[misc,arg-type]
                await eventually(lambda: any(text.startswith("DELETE") for text in texts))
    assert WEBHOOKS <= len(texts) <= BUDGET * (WEBHOOKS - 1), "\n".join(texts)
