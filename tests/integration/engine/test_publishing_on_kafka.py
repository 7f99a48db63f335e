"""Publishing to a real broker: an answer per record, topics that vanish, a broker that hangs or is away."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from supportops.config import KafkaSettings
from supportops.contracts import Topic, dead_letter_topic
from supportops.errors import Refused, Retryable
from supportops.messaging import Broker, open_broker
from supportops.messaging.kafka import Patience
from supportops.messaging.topics import MAX_RECORD, Limits, too_tight
from supportops.store import Store
from tests.support.consuming import Stage, all_solved, consumer, read_all, stage_on
from tests.support.engine import SECOND, broker_on, running, solved
from tests.support.eventually import eventually
from tests.support.infra import Kind
from tests.support.kafka_server import KafkaServer
from tests.support.records import FakeRecord
from tests.support.servers import Server

pytestmark = pytest.mark.needs_kafka
KAFKAS_DEFAULT = 1_048_588


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour) as stage:
        yield stage


async def make_topic(address: str, name: str, limit: int) -> None:
    """A topic as somebody else would make it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"max.message.bytes": str(limit)})])
    finally:
        await admin.close()


async def delete_topic(address: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.delete_topics([name])
        await eventually(lambda: is_gone(admin, name), within=20)
    finally:
        await admin.close()


async def is_gone(admin: AIOKafkaAdminClient, name: str) -> bool:
    return name not in await admin.list_topics()


async def test_a_record_that_is_too_large_is_refused_and_its_neighbours_are_published_once(
    kafka_address: str, stage: Stage
) -> None:
    topic = f"small.{stage.topic}"
    await make_topic(kafka_address, topic, 10_000)
    records = [FakeRecord(b"k", b"x" * size, topic=topic) for size in (10, 20_000, 20, 30)]
    other = FakeRecord(b"k", b"o", topic=stage.topic)
    answers = await stage.broker.send([*records, other])
    assert [type(answer) for answer in answers] == [type(None), Refused, type(None), type(None), type(None)]
    assert "MessageSizeTooLargeError" in str(answers[1])
    kept = [record.value for record in await read_all(kafka_address, topic)]
    assert {len(value) for value in kept} == {10, 20, 30}
    assert await stage.broker.send([other]) == [None]


async def test_a_topic_of_our_table_that_vanished_is_made_again(
    kafka_address: str, kafka_flavour: str, topic_suffix: str
) -> None:
    topic = Topic(f"table.{topic_suffix}", 2, "ticket id", timedelta(hours=1))
    settings = KafkaSettings.model_validate({"bootstrap_servers": kafka_address, "flavour": kafka_flavour})
    async with open_broker(settings, [topic]) as broker:
        assert await broker.send([FakeRecord(b"k", b"1", topic=topic.name)]) == [None]
        await delete_topic(kafka_address, topic.name)
        answer: Any = None

        async def published() -> bool:
            nonlocal answer
            (answer,) = await broker.send([FakeRecord(b"k", b"2", topic=topic.name)])
            assert not isinstance(answer, Refused)
            return answer is None

        await eventually(published, within=60)
    assert [r.value for r in await read_all(kafka_address, topic.name, (0, 1))] == [b"2"]


async def test_a_topic_that_nobody_makes_is_refused_quickly_the_second_time(stage: Stage) -> None:
    lost = FakeRecord(b"k", b"1", topic=f"nobodys.{stage.topic}")
    good = FakeRecord(b"k", b"2", topic=stage.topic)
    answers = await stage.broker.send([lost, good])
    assert [type(answer) for answer in answers] == [Refused, type(None)]
    async with asyncio.timeout(5):
        answers = await stage.broker.send([lost, good])
    assert [type(answer) for answer in answers] == [Refused, type(None)]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_dead_letter_larger_than_its_topic_is_kept_and_the_records_behind_it_go_on(
    kafka_address: str, kafka_flavour: str, live_store: Store
) -> None:
    """Topics with Kafka's own limit, as an administrator makes them; a record that just fits, and does not decode."""
    async with stage_on(kafka_address, kafka_flavour, partitions=1) as stage:
        letters = dead_letter_topic(stage.group).name
        for name in (stage.topic, letters):
            await delete_topic(kafka_address, name)
            await make_topic(kafka_address, name, KAFKAS_DEFAULT)
        await stage.broker.close()
        await stage.send_records(FakeRecord(b"k", b"{ " + b"x" * 1_048_487, topic=stage.topic))
        await stage.send(*(solved(n) for n in range(5)))
        async with running(consumer(stage, live_store)):
            await eventually(lambda: all_solved(live_store, 5), within=60)
            (letter,) = await eventually(lambda: stage.dead_letters(1), within=30)
    headers = dict(letter.headers)
    assert headers["dl_cut"] == b"1048489"
    assert (headers["dl_topic"], headers["dl_offset"]) == (stage.topic.encode(), b"0")
    assert letter.value.startswith(b"{ xxx")


async def test_limits_below_ours_are_named(kafka_address: str, stage: Stage) -> None:
    small = Topic(f"small.{stage.topic}", 1, "ticket id", timedelta(days=400))
    await make_topic(kafka_address, small.name, 10_000)
    ours = Topic(stage.topic, 3, "ticket id", timedelta(hours=1))

    async def both() -> dict[str, Limits]:  # a broker tells of a new topic a moment later
        told = await stage.broker.limits([small.name, ours.name, "not.there"])
        return told if len(told) == 2 else {}

    found = await eventually(both, within=20)
    words = too_tight([small, ours], found)
    assert found[ours.name].record == MAX_RECORD
    assert len(words) == 2
    assert all(word.startswith(small.name) for word in words)


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_a_broker_that_hangs_three_times_leaves_no_connection_behind(
    own_server: Callable[[Kind], Server],
) -> None:
    server = own_server("kafka")
    assert isinstance(server, KafkaServer)
    async with broker_on(server.address, "apache", Patience(SECOND, close=0.5)) as broker:
        await broker.ensure_topics([Topic("t", 1, "ticket id", timedelta(hours=1))])
        assert await broker.send([FakeRecord(b"k", b"0", topic="t")]) == [None]
        before = connections(server)
        for _ in range(3):
            hang(server, signal.SIGSTOP)
            (answer,) = await broker.send([FakeRecord(b"k", b"1", topic="t")])
            assert isinstance(answer, Retryable)
            hang(server, signal.SIGCONT)
            await eventually(lambda: sends(broker), within=30)
        await eventually(lambda: connections(server) <= before, within=30)


def connections(server: KafkaServer) -> int:
    """How many connections to the broker this process has."""
    return len(
        [each for each in psutil.Process(os.getpid()).net_connections("tcp") if _goes_to(each, server.port)]
    )


def _goes_to(connection: Any, port: int) -> bool:
    return bool(connection.raddr) and connection.raddr.port == port and connection.status == "ESTABLISHED"


def hang(server: KafkaServer, how: signal.Signals) -> None:
    listening: list[Any] = [
        each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN
    ]
    (pid,) = {each.pid for each in listening if each.laddr.port == server.port}
    os.kill(pid, how)


async def sends(broker: Broker) -> bool:
    return await broker.send([FakeRecord(b"k", b"2", topic="t")]) == [None]
