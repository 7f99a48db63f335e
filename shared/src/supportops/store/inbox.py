"""Which events a consumer group has taken already."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, Text, bindparam, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.store.tables import ENGINE, UtcDateTime


async def take_new(conn: AsyncConnection, group: str, event_ids: Sequence[str], now: datetime) -> set[str]:
    """Mark `event_ids` as taken by `group`; return those that were not yet.

    The mark is part of the caller's transaction: if that rolls back, the events are new again. The ids travel as one
    parameter, so that a batch of any size is the same statement; they are sorted, so that two takers cannot deadlock.
    """
    ids = sorted(set(event_ids))
    lite = conn.dialect.name == "sqlite"
    parameters = {"group": group, "ids": orjson.dumps(ids).decode() if lite else ids, "now": now}
    taken = await conn.execute(_TAKE_SQLITE if lite else POSTGRES_TAKE, parameters)
    return set(taken.scalars())


def _take(insert: Any, event_id: Any, inbox: Table) -> Any:
    rows = select(bindparam("group", type_=Text), event_id, bindparam("now", type_=UtcDateTime)).where(true())
    statement = insert.from_select(["consumer_group", "event_id", "seen_at"], rows)
    return statement.on_conflict_do_nothing().returning(inbox.c.event_id)


POSTGRES_TAKE = _take(
    postgresql.insert(ENGINE.inbox),
    func.unnest(bindparam("ids", type_=postgresql.ARRAY(Text))),
    ENGINE.inbox,
)
_TAKE_SQLITE = _take(
    sqlite.insert(ENGINE.inbox), func.json_each(bindparam("ids")).table_valued("value").c.value, ENGINE.inbox
)
