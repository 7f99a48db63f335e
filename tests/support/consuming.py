"""Reading and writing real topics in tests: fresh names, records put there by hand, dead letters read back."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import select

from supportops.config import KafkaSettings
from supportops.contracts import Event, TicketSolved, Topic, dead_letter_topic
from supportops.messaging import Broker, Consumer, ConsumerPolicy, Handlers
from supportops.messaging.ports import Answer, Outgoing, Slice
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from supportops.store.offsets import Position, first_positions, read_positions
from tests.support.engine import broker_on
from tests.support.engine_app.tables import tickets
from tests.support.records import FakePublisher, FakeRecord, record_of


@dataclass(frozen=True)
class Stage:
    """A broker with a topic and a consumer group that nobody else uses."""

    broker: Broker
    address: str
    topic: str
    group: str
    partitions: int

    async def send(self, *events: Event) -> None:
        """Publish events in our topic instead of theirs."""
        await self.send_records(*(replace(record_of(event), topic=self.topic) for event in events))

    async def send_records(self, *records: FakeRecord) -> None:
        await self.broker.publish(records)

    async def committed(self) -> int:
        """Sum of the group's committed offsets: how many records are acknowledged."""
        # By a consumer that joins nothing: the embedded broker does not speak the admin client's request.
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.address, group_id=self.group, enable_auto_commit=False
        )
        await reader.start()
        try:
            partitions = [TopicPartition(self.topic, number) for number in range(self.partitions)]
            reader.assign(partitions)
            return sum([await reader.committed(partition) or 0 for partition in partitions])
        finally:
            await reader.stop()

    async def dead_letters(self, at_least: int = 0) -> list[Any]:
        """All records of the group's dead-letter topic; none while there are fewer than `at_least`."""
        letters = await read_all(self.address, dead_letter_topic(self.group).name)
        return letters if len(letters) >= at_least else []


class PaperBroker(Broker):
    """A broker whose publishing goes to a `FakePublisher`; nothing is read from it."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings.model_validate({"bootstrap_servers": "nowhere:1"}))
        self.paper = FakePublisher()

    async def send(self, records: Sequence[Outgoing]) -> list[Answer]:
        return await self.paper.send(records)


@asynccontextmanager
async def stage_on(address: str, flavour: str, partitions: int = 3) -> AsyncIterator[Stage]:
    """A fresh topic with its group and dead-letter topic."""
    name = uuid.uuid4().hex[:12]
    async with broker_on(address, flavour) as broker:
        stage = Stage(broker, address, f"t.{name}", f"g.{name}", partitions)
        topic = Topic(stage.topic, partitions, "ticket id", timedelta(hours=1))
        await broker.ensure_topics([topic, dead_letter_topic(stage.group)])
        yield stage


async def read_all(address: str, topic: str, partitions: Sequence[int] = (0,)) -> list[Any]:
    """Every record that a topic holds now."""
    reader = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await reader.start()
    try:
        mine = [TopicPartition(topic, number) for number in partitions]
        reader.assign(mine)
        ends = await reader.end_offsets(mine)
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            for polled in (await reader.getmany(timeout_ms=200)).values():
                records.extend(polled)
        return records
    finally:
        await reader.stop()


def count_solve(event: TicketSolved, tx: Transaction) -> None:
    """Counts how often each ticket was solved; ticket 666 is a bug of ours."""
    rows = tx.rows(tickets)
    row = rows.get(event.ticket_id)
    rows.put(event.ticket_id, solves=1 if row is None else row["solves"] + 1)
    if event.ticket_id == "666":
        raise KeyError("a bug of ours")


HANDLERS = Handlers().on(TicketSolved, count_solve, reads=((tickets, lambda event: event.ticket_id),))


def consumer(stage: Stage, store: Store, **policy: object) -> Consumer:
    """A member of the stage's group."""
    quick = {"topics": (stage.topic,), "retry_wait": timedelta(0), **policy}
    return Consumer(
        stage.broker,
        store,
        HANDLERS,
        group=stage.group,
        metrics=Metrics(),
        policy=ConsumerPolicy(**quick),  # type: ignore[arg-type]
    )


async def feed(member: Consumer, store: Store, records: Sequence[Any], group: str = "csat") -> list[Slice]:
    """Have `records` processed as one batch, numbered on from where their partitions stand; what became of it."""
    by_spot: dict[tuple[str, int], list[Any]] = {}
    for record in records:
        by_spot.setdefault((record.topic, record.partition), []).append(record)
    async with store.transaction() as tx:
        begins = {spot: Position(some[0].offset) for spot, some in by_spot.items()}
        await first_positions(tx.conn, group, begins, tx.now)
    async with store.reading() as conn:
        rows = await read_positions(conn, group)
    slices = []
    for (topic, partition), some in by_spot.items():
        row = rows[topic, partition]
        numbered = [replace(record, offset=row.next_offset + n) for n, record in enumerate(some)]
        slices.append(Slice(topic, partition, row.next_offset, numbered, row.dead_in_a_row))
    await member.process(slices)
    return slices


async def solves(store: Store) -> dict[str, int]:
    async with store.reading() as conn:
        return {row.ticket_id: row.solves for row in await conn.execute(select(tickets))}


async def all_solved(store: Store, count: int) -> bool:
    return sum((await solves(store)).values()) >= count
