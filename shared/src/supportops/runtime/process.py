"""One way to build a process of any service: its parts, its probes, its side port, its components.

A service's `wiring.py` opens the parts, makes its handlers, destinations and apps, and hands the components to
`run_process`, which adds what every process has.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import func, select

from supportops.clock import Clock, SystemClock
from supportops.config import DatabaseSettings, KafkaSettings, ShutdownSettings, SideSettings
from supportops.contracts import all_topics
from supportops.delivery import Courier, Destination
from supportops.delivery.outages.readiness import DestinationProbe
from supportops.messaging import Broker, Consumer, ConsumerPolicy, Handlers, open_broker
from supportops.observability.health import Probe
from supportops.observability.metrics import Metrics
from supportops.observability.probes import AgeProbe, ComplaintsProbe, ReachableProbe
from supportops.runtime.side_server import side_server
from supportops.runtime.startup_guards import SchemaGuard, TopicGuard
from supportops.runtime.supervisor import Component, run_until_stopped
from supportops.store import Store, open_store
from supportops.store.outbox import oldest_unpublished
from supportops.store.tables import ENGINE, waiting
from supportops.waiting import wait_first
from supportops.workers import Relay, Retention, engine_retention, janitor

UNPUBLISHED_LIMIT = timedelta(seconds=30)
OVERDUE_LIMIT = timedelta(minutes=2)
STALL_LIMIT = timedelta(seconds=60)
DATABASE_REMEDY = "Bring the database back; work waits in Kafka and, at ingest, on disk"
BROKER_REMEDY = "Bring the broker back; events wait in the outbox and in Kafka, nothing is lost"


class ProcessSettings(Protocol):
    """The blocks that every service's settings have."""

    @property
    def kafka(self) -> KafkaSettings: ...
    @property
    def database(self) -> DatabaseSettings: ...
    @property
    def side(self) -> SideSettings: ...
    @property
    def shutdown(self) -> ShutdownSettings: ...


@dataclass(frozen=True)
class Parts:
    """What every process of ours stands on."""

    store: Store
    broker: Broker
    metrics: Metrics
    clock: Clock
    package: str
    """Whose migrations the database must have."""


@asynccontextmanager
async def open_parts(settings: ProcessSettings, package: str) -> AsyncIterator[Parts]:
    """Open database and broker (neither need be there yet); closed in reverse order."""
    clock = SystemClock()
    async with (
        open_store(settings.database, clock=clock) as store,
        open_broker(settings.kafka, all_topics()) as broker,
    ):
        yield Parts(store, broker, Metrics(), clock, package)


def worker_components(
    parts: Parts,
    handlers: Handlers,
    destinations: Sequence[Destination],
    *,
    group: str,
    policy: ConsumerPolicy | None = None,
    retention: Sequence[Retention] = (),
) -> tuple[Component, ...]:
    """What the workers of every service run: consumer, relay, courier and janitor.

    `retention`: what the service's own tables keep how long; the engine's rows have theirs.
    """
    return (
        Consumer(parts.broker, parts.store, handlers, group=group, metrics=parts.metrics, policy=policy),
        Relay(parts.broker, parts.store, parts.metrics),
        Courier(parts.store, destinations, parts.metrics),
        janitor(parts.store, (*retention, *engine_retention()), parts.metrics),
    )


async def run_process(
    settings: ProcessSettings, parts: Parts, *components: Component, probes: Sequence[Probe] = ()
) -> int:
    """Run `components` and the side port until the process is told to stop; the exit code of `runtime`.

    `probes` are the service's own, beside those of the engine.
    """
    consumers = [component for component in components if isinstance(component, Consumer)]
    mine = [*engine_probes(parts, consumers), *destination_probes(parts, components), *probes]
    side = side_server(settings.side, mine, parts.metrics)
    guards = SchemaGuard(parts.store, parts.package), TopicGuard(parts.broker)
    ordered = [after_look(component, consumers) for component in components]
    return await run_until_stopped(side, *guards, *ordered, grace=settings.shutdown.grace)


class _AfterLook:
    """A courier that begins once its consumers have looked whether the database is the one they knew.

    A restored one holds deliveries that are done already: they are to be asked about, not made again.
    """

    def __init__(self, courier: Courier, looked: Sequence[asyncio.Event]) -> None:
        self.name = courier.name
        self._courier = courier
        self._looked = looked

    async def run(self, stopping: asyncio.Event) -> None:
        """As the courier's own."""
        for looked in self._looked:
            await wait_first(looked, stopping)
        await self._courier.run(stopping)


def after_look(component: Component, consumers: Sequence[Consumer]) -> Component:
    """The component as it is to be run beside `consumers`: a courier waits for their look."""
    if isinstance(component, Courier) and consumers:
        return _AfterLook(component, [consumer.looked for consumer in consumers])
    return component


def engine_probes(parts: Parts, consumers: Sequence[Consumer]) -> list[Probe]:
    """Readiness as progress: nothing unpublished or overdue for long, no consumer that stands before work."""

    async def ping() -> None:
        async with parts.store.reading() as conn:
            await conn.execute(select(1))

    async def unpublished() -> datetime | None:
        async with parts.store.reading() as conn:
            return await oldest_unpublished(conn, ENGINE.outbox)

    async def overdue() -> datetime | None:
        return await oldest_overdue(parts.store)

    age_of = parts.metrics
    return [
        ReachableProbe("database", ping, DATABASE_REMEDY),
        ReachableProbe("broker", parts.broker.ping, BROKER_REMEDY),
        AgeProbe(
            "outbox",
            unpublished,
            UNPUBLISHED_LIMIT,
            clock=parts.clock,
            gauge=(age_of, "outbox_oldest_unpublished_seconds"),
        ),
        AgeProbe(
            "deliveries",
            overdue,
            OVERDUE_LIMIT,
            clock=parts.clock,
            gauge=(age_of, "delivery_oldest_overdue_seconds"),
        ),
        *(ComplaintsProbe(consumer.name, consumer.complaints, STALL_LIMIT) for consumer in consumers),
    ]


def destination_probes(parts: Parts, components: Sequence[Component]) -> list[Probe]:
    """One for each destination that a courier of this process delivers to."""
    couriers = [component for component in components if isinstance(component, Courier)]
    names = [name for courier in couriers for name in courier.destinations]
    return [DestinationProbe(parts.store, name, parts.metrics) for name in names]


async def oldest_overdue(store: Store) -> datetime | None:
    """Since when the longest overdue delivery waits for an attempt that nobody makes; None when all are on time.

    A row that waits for its next attempt is not overdue; its failures show in the metrics of attempts.
    """
    d = ENGINE.deliveries
    oldest = select(func.min(d.c.next_attempt_at)).where(waiting(d), d.c.next_attempt_at < store.clock.now())
    async with store.reading() as conn:
        moment: datetime | None = (await conn.execute(oldest)).scalar()
    return moment
