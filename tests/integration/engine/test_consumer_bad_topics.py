"""What a topic may do to its consumer: codecs, damage on disk, marks of transactions, a topic made anew.

Nothing of it loses an event of a healthy partition, and nothing of it is silent.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from supportops.contracts import Topic
from supportops.messaging import Consumer, ConsumerPolicy
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.consuming import HANDLERS, Stage, all_solved, consumer, solves, stage_on
from tests.support.engine import broker_on, running, solved
from tests.support.eventually import eventually
from tests.support.infra import Kind
from tests.support.kafka_server import KafkaServer
from tests.support.records import record_of
from tests.support.servers import Server

pytestmark = [pytest.mark.needs_kafka, pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)]
NOW = timedelta(0)


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour) as stage:
        yield stage


async def produce(address: str, topic: str, tickets: range, **options: Any) -> None:
    """Solves of `tickets`, by a foreign producer with options of its own."""
    producer = AIOKafkaProducer(bootstrap_servers=address, **options)
    await producer.start()
    try:
        for ticket in tickets:
            record = replace(record_of(solved(ticket)), topic=topic)
            await producer.send(topic, value=record.value, key=record.key, headers=list(record.headers))
        await producer.flush()
    finally:
        await producer.stop()


async def test_every_codec_is_read(stage: Stage, live_store: Store) -> None:
    for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
        tickets = range(number * 10, number * 10 + 10)
        await produce(stage.address, stage.topic, tickets, compression_type=codec)
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 40), within=30)
    assert await solves(live_store) == {str(n): 1 for n in range(40)}


async def test_marks_of_a_foreign_producers_transactions_are_no_lag(stage: Stage, live_store: Store) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stage.address, transactional_id=stage.group)
    await producer.start()
    async with producer.transaction():
        for ticket in range(9):
            record = replace(record_of(solved(ticket)), topic=stage.topic)
            await producer.send(stage.topic, value=record.value, key=record.key, headers=list(record.headers))
    await producer.stop()
    member = consumer(stage, live_store)
    async with running(member):
        await eventually(lambda: all_solved(live_store, 9), within=30)
        await eventually(lambda: stands_beyond(stage, 9), within=20, about="the marks are finished")
        await eventually(lambda: member.subscription.lag == {stage.topic: 0}, within=20)
        await stage.send(*(solved(n) for n in range(9, 30)))
        await eventually(lambda: all_solved(live_store, 30), within=30)
        await eventually(lambda: member.subscription.lag == {stage.topic: 0}, within=20)
    assert set((await solves(live_store)).values()) == {1}


async def stands_beyond(stage: Stage, records: int) -> bool:
    """Whether the group is past more than its records: the marks behind them hold an offset each."""
    return await stage.committed() > records


@pytest.mark.parametrize("more", [15, 300])
async def test_a_topic_made_anew_is_read_from_its_beginning_and_said_so(
    stage: Stage, live_store: Store, more: int
) -> None:
    """Whether it holds less than the old one did when its readers come back, or has grown beyond where they stood."""
    metrics = Metrics()
    await stage.send(*(solved(n) for n in range(60)))
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 60), within=30)
    await make_anew(stage)
    await stage.send(*(solved(n) for n in range(60, 60 + more)))
    async with running(watched(stage, live_store, metrics)):
        await eventually(lambda: all_solved(live_store, 60 + more), within=60)
    assert await solves(live_store) == {str(n): 1 for n in range(60 + more)}
    assert metrics.value("consumer_resets", group=stage.group, topic=stage.topic, kind="made_anew") >= 1
    assert metrics.value("consumer_resets", group=stage.group, topic=stage.topic, kind="restored") == 0


def watched(stage: Stage, store: Store, metrics: Metrics) -> Consumer:
    policy = ConsumerPolicy(topics=(stage.topic,))
    return Consumer(stage.broker, store, HANDLERS, group=stage.group, metrics=metrics, policy=policy)


async def make_anew(stage: Stage) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.address)
    await admin.start()
    try:
        await admin.delete_topics([stage.topic])
        await eventually(lambda: gone(admin, stage.topic), within=20)
    finally:
        await admin.close()
    await stage.broker.close()
    await stage.broker.ensure_topics([Topic(stage.topic, stage.partitions, "ticket id", timedelta(hours=1))])


async def gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_a_damaged_batch_holds_up_its_own_partition_alone(
    own_server: Callable[[Kind], Server], live_store: Store
) -> None:
    """One byte on the broker's disk: 60 events of the healthy partitions, and what stands before the damage, pass."""
    server = own_server("kafka")
    async with stage_on(server.address, "apache", partitions=1) as stage, broker_on(server.address, "apache"):
        healthy = f"h.{stage.topic}"
        await stage.broker.ensure_topics([Topic(healthy, 3, "ticket id", timedelta(hours=1))])
        await produce(server.address, stage.topic, range(100, 110))
        await produce(server.address, stage.topic, range(110, 120))
        damage_last_batch(server, stage.topic)
        policy = ConsumerPolicy(topics=(stage.topic, healthy))
        member = Consumer(
            stage.broker, live_store, HANDLERS, group=stage.group, metrics=Metrics(), policy=policy
        )
        async with running(member):
            for start in range(0, 60, 10):
                await produce(server.address, healthy, range(start, start + 10))
            await eventually(lambda: all_solved(live_store, 70), within=60)
            (complaint,) = await eventually(lambda: member.subscription.complaints(NOW), within=20)
            assert complaint.startswith(f"{stage.topic}[0] cannot be read")
            assert "CorruptRecord" in complaint
        found = await solves(live_store)
        assert found == {str(n): 1 for n in [*range(60), *range(100, 110)]}


def damage_last_batch(server: Server, topic: str) -> None:
    """Turn one byte near the end of the topic's log: the broker does not check it again before it sends it."""
    assert isinstance(server, KafkaServer)
    (log,) = Path(server.home, "data").glob(f"{topic}-0/*.log")
    with log.open("r+b") as file:
        file.seek(-20, 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))
