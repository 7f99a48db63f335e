"""Measured process: the engine's consumer with inbox, a handler and its state.

Arguments: KAFKA TOPIC GROUP URL COUNT.
"""

import asyncio
import json
import sys
import time

from bench.consumer_events import tickets
from supportops.clock import SystemClock
from supportops.contracts import TicketSolved
from supportops.messaging import Consumer, ConsumerPolicy, Handlers, open_broker
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime import run
from supportops.settings import DatabaseSettings, KafkaSettings, LogSettings
from supportops.store import Transaction, open_store
from supportops.versions import is_newer


def on_solved(event: TicketSolved, tx: Transaction) -> None:
    """Keep the newest solve of a ticket."""
    row = tx.rows(tickets).get(event.ticket_id)
    if is_newer(event.version, row["version"] if row else None):
        tx.rows(tickets).put(
            event.ticket_id, version=event.version, status="solved", solved_at=event.solved_at
        )


async def main(kafka: str, topic: str, group: str, url: str, count: str) -> int:
    """Consume until `count` events are handled by the whole group, or nothing came for a while."""
    handlers = Handlers().on(TicketSolved, on_solved, reads=((tickets, lambda event: event.ticket_id),))
    metrics, stopping = Metrics(), asyncio.Event()
    async with (
        open_store(DatabaseSettings(url=url), clock=SystemClock()) as store,
        open_broker(KafkaSettings(bootstrap_servers=kafka)) as broker,
    ):
        policy = ConsumerPolicy(topics=(topic,))
        consumer = Consumer(broker, store, handlers, group=group, metrics=metrics, policy=policy)
        running = asyncio.create_task(consumer.run(stopping))
        first, cpu = 0.0, 0.0
        done = handled(metrics, group)
        last = time.monotonic()
        while done < int(count) and time.monotonic() - last < 5:
            await asyncio.sleep(0.005)
            now = handled(metrics, group)
            if now > done:
                last = time.monotonic()
                if not first:
                    first, cpu = last, time.process_time()
            done = now
        result = {"events": done, "first": first, "last": last, "cpu": time.process_time() - cpu}
        stopping.set()
        await running
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def handled(metrics: Metrics, group: str) -> float:
    """Events handled by this process so far."""
    return metrics.value("consumer_events", group=group, type=TicketSolved.type, outcome="handled")


if __name__ == "__main__":
    configure(LogSettings(), service="bench", secrets=())
    run(main(*sys.argv[1:6]))
