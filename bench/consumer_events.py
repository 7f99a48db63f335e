"""The events of the consumer rows, their state table and how a topic is filled with them."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.ext.asyncio import create_async_engine

from supportops.config import KafkaSettings
from supportops.contracts import TicketSnapshot, TicketSolved, Topic, encode
from supportops.messaging import Broker
from supportops.messaging.dead_letter import DeadLetter
from supportops.store import UtcDateTime, engine_tables
from supportops.store.engine import async_url
from supportops.ticket_version import version_of

metadata = MetaData()
engine_tables(metadata)
tickets = Table(
    "bench_tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("solved_at", UtcDateTime, nullable=False),
)
START = datetime(2026, 11, 1, tzinfo=UTC)


def events(count: int) -> list[TicketSolved]:
    """`count` solves of half as many tickets, about 1 KB each on the wire."""
    made = []
    for number in range(count):
        moment = START + timedelta(seconds=number)
        ticket = TicketSnapshot(
            status="solved",
            priority="high",
            subject="It does not start " * 8,
            description="word " * 60,
            tags=["premium", "self_managed", "emea"],
            requester_id="20978392",
            organization_id="509974",
            assignee_id="235323",
            group_id="98738",
            form_id="6130830344474",
            created_at=START,
            updated_at=moment,
        )
        ticket_id = str(1000 + number % (count // 2))
        made.append(
            TicketSolved(
                id=str(uuid.uuid4()),
                source="/zendesk/1",
                time=moment,
                subject=ticket_id,
                account_id="1",
                ticket_id=ticket_id,
                version=version_of(moment),
                actor_id="8447388090494",
                ticket=ticket,
                solved_at=moment,
                previous_status="open",
            )
        )
    return made


async def fill(kafka: str, topic: str, count: int) -> None:
    """Create `topic` (12 partitions) and publish `count` events to it."""
    broker = Broker(KafkaSettings(bootstrap_servers=kafka))
    await broker.ensure_topics([Topic(topic, 12, "ticket id", timedelta(days=1))])
    made = events(count)
    for start in range(0, count, 1000):
        records = []
        for event in made[start : start + 1000]:
            key, value, headers = encode(event)
            records.append(DeadLetter(topic, key, value, headers))
        await broker.publish(records)
    await broker.close()


def make_tables(url: str) -> None:
    """The engine's tables and the state table, in an empty database."""

    async def make() -> None:
        engine = create_async_engine(async_url(url))
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await engine.dispose()

    asyncio.run(make())
