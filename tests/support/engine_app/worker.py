"""A whole service in one process, for tests that kill it: consumer and courier on the smallest tables there are.

Its outside world is a file: an effect is a line, so that what happened can be counted whoever has died since.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, KafkaSettings
from supportops.contracts import TicketSolved
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.messaging import Consumer, ConsumerPolicy, Handlers, open_broker
from supportops.observability.metrics import Metrics
from supportops.runtime.supervisor import run, run_until_stopped
from supportops.store import Transaction, open_store
from tests.support.engine_app.tables import effects, tickets


def on_solved(event: TicketSolved, tx: Transaction) -> None:
    """Count the solve, and have the world told of it once."""
    rows = tx.rows(tickets)
    row = rows.get(event.ticket_id)
    rows.put(event.ticket_id, solves=1 if row is None else row["solves"] + 1)
    tx.deliveries.schedule("world", event.id, lane=event.ticket_id, payload={})


class World:
    """Appends a line per effect; a call takes a moment, before and after its effect."""

    spec = DestinationSpec("world")

    def __init__(self, path: Path) -> None:
        self.path = path

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        with self.path.open("a") as lines:
            lines.writelines(f"{delivery.key}\n" for delivery in deliveries)
        await asyncio.to_thread(os.stat, self.path)
        return [Done(then=partial(note, key=delivery.key)) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        if delivery.key in self.path.read_text().split():
            return Done(then=partial(note, key=delivery.key))
        return None


async def note(tx: Transaction, key: str) -> None:
    """Our own record of an effect; counts, so that a repeated one would show."""
    rows = await tx.load(effects, [("world", key)])
    row = rows.get(("world", key))
    rows.put(("world", key), times=1 if row is None else row["times"] + 1)


HANDLERS = Handlers().on(TicketSolved, on_solved, reads=((tickets, lambda event: event.ticket_id),))


async def main(topic: str, group: str, world: Path) -> int:
    """Work until stopped."""
    async with (
        open_store(DatabaseSettings(), clock=SystemClock()) as store,
        open_broker(KafkaSettings()) as broker,
    ):
        policy = ConsumerPolicy(topics=(topic,), max_batch=20)
        return await run_until_stopped(
            Consumer(broker, store, HANDLERS, group=group, metrics=Metrics(), policy=policy),
            Courier(store, [World(world)], Metrics()),
            grace=timedelta(seconds=20),
        )


if __name__ == "__main__":
    sys.exit(run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
