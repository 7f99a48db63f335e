"""What may become of what we rely on: poisoned and oddly compressed records, torn segments, older databases."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from supportops.contracts import TOPICS, dead_letter_topic, encode
from tests.support.consuming import read_all
from tests.support.databases import on_the_side, run_sql
from tests.support.engine import solved
from tests.support.system import System

TICKETS = "zendesk.tickets"
PARTITIONS = next(topic.partitions for topic in TOPICS if topic.name == TICKETS)
GROUPS = ("csat", "sfdc-sync", "notifier")
type Foreign = tuple[list[tuple[str, bytes]], bytes]


def poisoned() -> list[Foreign]:
    """Nothing that says what it is; what is no JSON; and an event of ours that happened in the year 9999."""
    _, value, headers = encode(solved(999_999_999))
    year_9999 = [
        (name, b"9999-12-31T23:59:59.999999Z" if name == "ce_time" else text) for name, text in headers
    ]
    return [([], b"{}"), (headers, b"\xff\xfe{"), (year_9999, value)]


def poison(system: System, times: int) -> int:
    """Put every kind of poison among the tickets' events, on all partitions; how many records that were."""
    records = poisoned() * times
    _produce(system, records, {})
    return len(records)


def compress(system: System, codecs: Sequence[str]) -> None:
    """Somebody else's records, of a type that is not ours, compressed in each of these ways."""
    foreign = [([("ce_id", b"%d" % n), ("ce_type", b"somebody.elses")], b"x" * 500) for n in range(60)]
    for codec in codecs:
        _produce(system, foreign, {"compression_type": codec})


def _produce(
    system: System, records: Sequence[tuple[list[tuple[str, bytes]], bytes]], options: Mapping[str, Any]
) -> None:
    async def produce() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=system.plan.kafka, **options)
        await producer.start()
        try:
            for number, (headers, value) in enumerate(records):
                await producer.send(TICKETS, value=value, key=b"%d" % number, headers=headers)
            await producer.flush()
        finally:
            await producer.stop()

    on_the_side(lambda: asyncio.run(produce()))


def buried(system: System, group: str) -> int:
    """How many dead letters a group has."""
    topic = dead_letter_topic(group).name
    return len(on_the_side(lambda: asyncio.run(read_all(system.plan.kafka, topic))))


def behind(system: System) -> dict[str, int]:
    """Records of the tickets' topic that each group has not finished, as the broker displays it; none where all are."""
    lags = {group: on_the_side(partial(_lag_now, system.plan.kafka, group)) for group in GROUPS}
    return {group: lag for group, lag in lags.items() if lag}


def _lag_now(address: str, group: str) -> int:
    return asyncio.run(_lag(address, group))


async def _lag(address: str, group: str) -> int:
    reader = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, enable_auto_commit=False)
    await reader.start()
    try:
        mine = [TopicPartition(TICKETS, number) for number in range(PARTITIONS)]
        reader.assign(mine)
        ends = await reader.end_offsets(mine)
        return sum([ends[each] - (await reader.committed(each) or 0) for each in mine])
    finally:
        await reader.stop()


def tear_spool(system: System) -> list[Path]:
    """Kill ingest and leave bytes that nobody can explain behind the last frame of each of its segments."""
    ingest = system.children["ingest"]
    ingest.kill()
    segments = sorted((system.plan.home / "spool").glob("*.spool"))
    for segment in segments:
        with segment.open("ab") as file:
            file.write(b"\x00\x17what another version wrote, torn")
    ingest.start_only()
    return segments


@contextmanager
def put_back(system: System, server: str, packages: Sequence[str]) -> Iterator[None]:
    """The databases of these services as they are now, put back when the block is over."""
    copies = {package: f"before_{package}" for package in packages}
    with _standing(system, packages):
        for package, copy in copies.items():
            run_sql(server, f"CREATE DATABASE {copy} TEMPLATE {_name(system, package)}")
    yield
    with _standing(system, packages):
        for package, copy in copies.items():
            run_sql(server, f"DROP DATABASE {_name(system, package)} WITH (FORCE)")
            run_sql(server, f"ALTER DATABASE {copy} RENAME TO {_name(system, package)}")


@contextmanager
def _standing(system: System, packages: Sequence[str]) -> Iterator[None]:
    mine = [child for name, child in system.children.items() if name.partition("-")[0] in packages]
    for child in mine:
        child.ask_to_stop()
    for child in mine:
        child.ended(within=40)
    yield
    for child in mine:
        child.start_only()


def _name(system: System, package: str) -> str:
    return system.plan.databases[package].rpartition("/")[2]
