"""Which events a consumer group has taken already (design §4, "Inbox")."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.upsert import insert_into


async def take_new(
    conn: AsyncConnection, table: Table, group: str, event_ids: Sequence[str], now: datetime
) -> set[str]:
    """Mark `event_ids` as taken by `group`; return those that were not yet.

    The mark is part of the caller's transaction: if that rolls back, the events are new again.
    """
    if not event_ids:
        return set()
    statement = insert_into(conn, table).on_conflict_do_nothing().returning(table.c.event_id)
    rows = [
        {"consumer_group": group, "event_id": event_id, "seen_at": now} for event_id in sorted(set(event_ids))
    ]
    return set((await conn.execute(statement, rows)).scalars())
