"""Measured process: a bare aiokafka loop with hand-written bulk inserts, the floor of the consumer row.

The same promises as far as a script can make them: duplicates dropped by event id, the newest version kept, one
transaction per poll, the offset after it. Arguments: KAFKA TOPIC GROUP URL COUNT.
"""

import json
import sys
import time
from datetime import datetime

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord

INBOX = """INSERT INTO inbox (consumer_group, event_id, seen_at)
           SELECT $1, unnest($2::text[]), now() ON CONFLICT DO NOTHING RETURNING event_id"""
STATE = """INSERT INTO bench_tickets (ticket_id, version, status, solved_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
           ON CONFLICT (ticket_id) DO UPDATE SET version = excluded.version, solved_at = excluded.solved_at
           WHERE excluded.version > bench_tickets.version"""


async def write(connection: asyncpg.Connection, group: str, records: list[ConsumerRecord]) -> int:
    """One transaction for what was polled."""
    by_id = {dict(record.headers)["ce_id"].decode(): record for record in records}
    async with connection.transaction():
        new = {row["event_id"] for row in await connection.fetch(INBOX, group, list(by_id))}
        newest: dict[str, dict[str, str]] = {}
        for event_id in new:
            event = orjson.loads(by_id[event_id].value)
            known = newest.get(event["ticket_id"])
            if known is None or event["version"] > known["version"]:
                newest[event["ticket_id"]] = event
        rows = [
            (e["ticket_id"], e["version"], "solved", datetime.fromisoformat(e["solved_at"]))
            for e in newest.values()
        ]
        await connection.execute(STATE, *(list(column) for column in zip(*rows, strict=True)))
    return len(new)


async def main(kafka: str, topic: str, group: str, url: str, count: str) -> None:
    """Consume until `count` events are handled."""
    connection = await asyncpg.connect(url)
    consumer = AIOKafkaConsumer(
        topic, group_id=group, bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    done, first, cpu, last = 0, 0.0, 0.0, 0.0
    while done < int(count):
        polled = await consumer.getmany(timeout_ms=200, max_records=500)
        records = [record for batch in polled.values() for record in batch]
        if not records:
            continue
        if not first:
            first, cpu = time.monotonic(), time.process_time()
        done += await write(connection, group, records)
        await consumer.commit()
        last = time.monotonic()
    sys.stdout.write(
        json.dumps({"events": done, "first": first, "last": last, "cpu": time.process_time() - cpu}) + "\n"
    )
    await consumer.stop()
    await connection.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
