"""Reading what a topic holds now, from its oldest record to its present end: for operators' commands.

No group is joined and nothing is committed: whoever consumes the topic does not notice.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from supportops.messaging.connection import connection_options, no_answer
from supportops.messaging.kafka import Broker
from supportops.messaging.ports import Header

AT_ONCE = 200  # records of one poll
PATIENCE = timedelta(seconds=15)  # without any record, before the end that was promised


@dataclass(frozen=True)
class StoredRecord:
    """A record as the broker keeps it, byte for byte; `timestamp_ms` is when it was published."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


async def read_topic(
    broker: Broker, topic: str, since: datetime | None = None
) -> AsyncGenerator[StoredRecord]:
    """Every record that is there at this moment, in order per partition; with `since` nothing published before.

    A topic that is not there has no records. Raises Retryable when the broker is away or stops answering.
    """
    earliest = since.timestamp() * 1000 if since is not None else 0
    for partition in range((await broker.partitions()).get(topic, 0)):  # asking for it by name could make it
        async with aclosing(_read_from(broker, TopicPartition(topic, partition), 0)) as records:
            async for record in records:
                if record.timestamp_ms >= earliest:
                    yield record


async def read_one(broker: Broker, topic: str, partition: int, offset: int) -> StoredRecord | None:
    """One record by its place; None when the topic does not keep it (any more). Raises as `read_topic`."""
    if (await broker.partitions()).get(topic, 0) <= partition:
        return None
    async with aclosing(_read_from(broker, TopicPartition(topic, partition), offset)) as records:
        async for record in records:
            return record if record.offset == offset else None
    return None


async def _read_from(broker: Broker, partition: TopicPartition, offset: int) -> AsyncGenerator[StoredRecord]:
    """The records of a partition from an offset (or the oldest, where that is later) to its present end."""
    options = connection_options(broker.settings)
    consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **options)
    try:
        await consumer.start()
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        begin = max(offset, (await consumer.beginning_offsets([partition]))[partition])
        if begin < end:
            consumer.seek(partition, begin)
            async for record in _until(consumer, partition, end):
                yield record
    except (KafkaError, OSError, TimeoutError) as error:
        raise no_answer(error) from error
    finally:
        await consumer.stop()


async def _until(consumer: Any, partition: TopicPartition, end: int) -> AsyncGenerator[StoredRecord]:
    deadline = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
    while await consumer.position(partition) < end:
        polled: Mapping[Any, Any] = await consumer.getmany(partition, timeout_ms=1000, max_records=AT_ONCE)
        now = asyncio.get_running_loop().time()
        if not polled and now > deadline:
            raise TimeoutError(f"no record of {partition.topic} for {PATIENCE.total_seconds():g} s")
        deadline = now + PATIENCE.total_seconds() if polled else deadline
        for record in polled.get(partition, ()):
            if record.offset < end:
                yield _stored(record)


def _stored(record: Any) -> StoredRecord:
    return StoredRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
