"""Measured process: the engine's consumer with inbox, a handler and its state.

Arguments: KAFKA TOPIC GROUP URL COUNT [PARTITIONS POOL WAIT_MS]. With PARTITIONS it says "ready" once it has so
many and begins when told to on stdin; with WAIT_MS its handler waits that long in the database for each event.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text

from bench.consumer_events import tickets
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, KafkaSettings, LogSettings
from supportops.contracts import Event, TicketSolved
from supportops.messaging import Consumer, ConsumerPolicy, Handlers, open_broker
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime.supervisor import run
from supportops.store import Transaction, open_store
from supportops.ticket_version import is_newer

IDLE = 5.0  # seconds without an event after which the work is over
WAIT = text("SELECT pg_sleep(:seconds)")


class GatedHandlers(Handlers):
    """Handlers that hold back until the backlog is complete and every worker has its share of it."""

    def __init__(self, open_at_once: bool) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        if open_at_once:
            self.gate.set()

    async def run(self, events: list[Event], tx: Transaction) -> None:
        """As ever, once the gate is open."""
        await self.gate.wait()
        await super().run(events, tx)


@dataclass(frozen=True)
class Task:
    """What to measure."""

    kafka: str
    topic: str
    group: str
    url: str
    count: int
    partitions: int = 0
    pool: int = 10
    wait_ms: float = 0


def task(arguments: list[str]) -> Task:
    """The command line, read."""
    kafka, topic, group, url, count, *more = arguments
    partitions, pool, wait_ms = more or ("0", "10", "0")
    return Task(kafka, topic, group, url, int(count), int(partitions), int(pool), float(wait_ms))


def handler(wait_ms: float) -> Callable[[TicketSolved, Transaction], None]:
    """Keeps the newest solve of a ticket; waits for each when told to."""

    def on_solved(event: TicketSolved, tx: Transaction) -> None:
        row = tx.rows(tickets).get(event.ticket_id)
        if is_newer(event.version, row["version"] if row else None):
            tx.rows(tickets).put(
                event.ticket_id, version=event.version, status="solved", solved_at=event.solved_at
            )
        if wait_ms:
            tx.write(WAIT, seconds=wait_ms / 1000)

    return on_solved


async def main(what: Task) -> int:
    """Consume until all events are handled, or none came for a while."""
    handlers = GatedHandlers(open_at_once=not what.partitions)
    handlers.on(TicketSolved, handler(what.wait_ms), reads=((tickets, lambda event: event.ticket_id),))
    metrics, stopping = Metrics(), asyncio.Event()
    async with (
        open_store(DatabaseSettings(url=what.url, pool=what.pool), clock=SystemClock()) as store,
        open_broker(KafkaSettings(bootstrap_servers=what.kafka)) as broker,
    ):
        policy = ConsumerPolicy(topics=(what.topic,), max_batch=50 if what.wait_ms else 500)
        consumer = Consumer(broker, store, handlers, group=what.group, metrics=metrics, policy=policy)
        running = asyncio.create_task(consumer.run(stopping))
        if what.partitions:
            while consumer.subscription.partitions != what.partitions:  # noqa: ASYNC110  # set by the library
                await asyncio.sleep(0.02)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
            handlers.gate.set()
        result = await watch(metrics, what)
        stopping.set()
        await running
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


async def watch(metrics: Metrics, what: Task) -> dict[str, float]:
    """The first and last moment that something was handled, how much, and the processor time it took."""
    done, first, cpu, begun = 0.0, 0.0, time.process_time(), time.monotonic()
    last, used = begun, 0.0
    while done < what.count and time.monotonic() - last < (IDLE if first else 60):
        await asyncio.sleep(0.005)
        now = metrics.value("consumer_events", group=what.group, type=TicketSolved.type, outcome="handled")
        if now > done:
            last, used = time.monotonic(), time.process_time() - cpu
            if not first:
                first = last if not what.partitions else begun
        done = now
    return {"events": done, "first": first, "last": last, "cpu": used}


if __name__ == "__main__":
    configure(LogSettings(), service="bench", secrets=())
    run(main(task(sys.argv[1:])))
