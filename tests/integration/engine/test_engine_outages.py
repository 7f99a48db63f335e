"""Database and broker are killed and come back: everything waits, nothing is lost, nothing is given up."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from supportops.contracts import TicketSolved, all_topics
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.messaging import Consumer, ConsumerPolicy, Handlers
from supportops.observability.metrics import Metrics
from supportops.observability.probes import ReachableProbe
from supportops.store import Store, Transaction, migrate
from supportops.store.tables import ENGINE
from supportops.workers import Relay
from tests.support.consuming import read_all, stage_on
from tests.support.databases import on_the_side
from tests.support.engine import APP, SECOND, FakeDestination, broker_on, rows_of, running, solved, store_on
from tests.support.engine_app.tables import tickets
from tests.support.eventually import eventually
from tests.support.infra import Kind
from tests.support.records import FakePublisher
from tests.support.servers import Server

pytestmark = pytest.mark.chaos
QUICK = {"outage_wait": SECOND / 10, "retry_wait": timedelta(0)}


def on_solved(event: TicketSolved, tx: Transaction) -> None:
    rows = tx.rows(tickets)
    row = rows.get(event.ticket_id)
    rows.put(event.ticket_id, solves=1 if row is None else row["solves"] + 1)
    tx.deliveries.schedule("slack", event.id, lane=event.ticket_id, payload={})


HANDLERS = Handlers().on(TicketSolved, on_solved, reads=((tickets, lambda event: event.ticket_id),))


async def solves(store: Store) -> int:
    async with store.reading() as conn:
        total: int | None = (await conn.execute(select(func.sum(tickets.c.solves)))).scalar()
        return total or 0


class SlowWorld(FakeDestination):
    """Answers only while `open`: calls are in flight when the database goes away."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        super().__init__(DestinationSpec("slack"), answer=self.wait, ask=self.look)

    async def wait(self, _delivery: Delivery) -> Outcome:
        await self.open.wait()
        return Done()

    def look(self, delivery: Delivery) -> Outcome | None:
        return Done() if delivery.key in self.keys else None


@pytest.mark.timeout(120)
async def test_a_database_that_is_killed_is_waited_for_by_consumer_courier_and_relay(
    own_server: Callable[[Kind], Server], kafka_address: str, kafka_flavour: str
) -> None:
    server = own_server("postgres")
    on_the_side(lambda: migrate.upgrade(server.address, APP))
    world, paper, metrics = SlowWorld(), FakePublisher(), Metrics()
    async with stage_on(kafka_address, kafka_flavour) as stage, store_on(server.address) as store:
        policy = ConsumerPolicy(topics=(stage.topic,), **QUICK)  # type: ignore[arg-type]
        consumer = Consumer(stage.broker, store, HANDLERS, group=stage.group, metrics=metrics, policy=policy)
        sent = [solved(n) for n in range(120)]
        async with running(consumer, Courier(store, [world], metrics), Relay(paper, store, metrics)):
            await stage.send(*sent[:60])
            await eventually(lambda: solves_are(store, 60), within=30)
            await eventually(lambda: len(world.flying) == 8)
            server.kill()
            await stage.send(*sent[60:])
            world.open.set()
            await eventually(lambda: consumer.waiting, within=30)
            server.start()
            await eventually(lambda: solves_are(store, 120), within=40)
            await eventually(lambda: all_done(store), within=40)
        assert Counter(world.keys) == Counter(event.id for event in sent)
        assert world.asked == []  # our own answers were written before anything was claimed again
        assert await stage.dead_letters() == []


async def solves_are(store: Store, count: int) -> bool:
    return await solves(store) == count


async def all_done(store: Store) -> bool:
    return all(row["state"] == "done" for row in (await rows_of(store)).values())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_broker_that_is_killed_is_waited_for_is_red_meanwhile_and_a_stop_ends(
    own_server: Callable[[Kind], Server], live_store: Store
) -> None:
    server, metrics, stopping = own_server("kafka"), Metrics(), asyncio.Event()
    async with broker_on(server.address, "apache") as broker:
        await broker.ensure_topics(all_topics())
        policy = ConsumerPolicy(**QUICK)  # type: ignore[arg-type]
        consumer = Consumer(broker, live_store, HANDLERS, group="csat", metrics=metrics, policy=policy)
        relay = Relay(broker, live_store, metrics, sweep_every=SECOND / 5)
        probe = ReachableProbe("broker", broker.ping, "Bring it back")
        tasks = [asyncio.create_task(component.run(stopping)) for component in (consumer, relay)]
        await publish(live_store, 0, 50)
        await eventually(lambda: solves_are(live_store, 50), within=30)
        assert (await probe()).ok
        server.kill()
        await publish(live_store, 50, 100)
        await eventually(lambda: outbox_holds(live_store, 50))
        async with asyncio.timeout(30):
            await eventually(lambda: is_red(probe), within=30)
        detail = (await probe()).detail
        assert detail.startswith("no answer since")
        assert detail.endswith("Bring it back")
        await asyncio.to_thread(server.start)
        await eventually(lambda: is_green(probe), within=30)
        await publish(live_store, 100, 150)
        await eventually(lambda: solves_are(live_store, 150), within=60)
        await eventually(lambda: outbox_holds(live_store, 0), within=60)
        assert await read_all(server.address, "csat.dead-letter") == []
        server.kill()
        stopping.set()
        async with asyncio.timeout(18):  # below the usual grace time of 20 s
            await asyncio.gather(*tasks)


async def is_red(probe: ReachableProbe) -> bool:
    return not (await probe()).ok


async def is_green(probe: ReachableProbe) -> bool:
    return (await probe()).ok


async def publish(store: Store, start: int, end: int) -> None:
    async with store.transaction() as tx:
        for n in range(start, end):
            tx.publish(solved(n))


async def outbox_holds(store: Store, count: int) -> bool:
    async with store.reading() as conn:
        return (await conn.execute(select(func.count()).select_from(ENGINE.outbox))).scalar_one() == count
