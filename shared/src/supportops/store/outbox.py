"""Events promised by a transaction: collected, written in bulk, published after the commit."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import orjson
from sqlalchemy import Table, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from supportops.contracts.codec import encode
from supportops.contracts.envelope import Event
from supportops.store.key_lookup import among, as_parameter
from supportops.store.writes import Shape, Write, insert_all

OWN_TIME = timedelta(seconds=5)  # how long the process that wrote a row has it to itself
SWEEP_TIME = timedelta(seconds=15)  # how long one sweeper has it to itself
LONGEST_HOLD = timedelta(minutes=10)
NEVER = datetime(
    9999, 1, 1, tzinfo=UTC
)  # when a row is swept that is set aside: found by the index of that moment
ALIKE = ("created_at", "sweep_after", "refused")  # in all records of one transaction


class OutboxRow(msgspec.Struct, frozen=True, eq=False):
    """One event on its way to the broker."""

    id: str
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Outbox:
    """The outbox part of a transaction."""

    def __init__(self, table: Table, now: datetime) -> None:
        self._table = table
        self._now = now
        self.rows: list[OutboxRow] = []
        self._unwritten: list[OutboxRow] = []

    def add(self, event: Event, extra_headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        """Promise `event`: it is published if and only if this transaction commits."""
        row = self.row_of(event, extra_headers)
        self.rows.append(row)
        self._unwritten.append(row)

    def row_of(self, event: Event, extra_headers: tuple[tuple[str, bytes], ...] = ()) -> OutboxRow:
        """A row for `event`, not promised yet."""
        key, value, headers = encode(event)
        return OutboxRow(str(uuid7()), event.topic, key, value, [*headers, *extra_headers])

    def collected(self) -> list[Write]:
        """The rows since the last time."""
        rows, self._unwritten = self._unwritten, []
        return [Write(Shape(insert_all, (self._table,)), [self.record(row) for row in rows])] if rows else []

    def record(self, row: OutboxRow) -> dict[str, Any]:
        """The row as the table has it."""
        return {
            "id": row.id,
            "topic": row.topic,
            "key": row.key,
            "value": row.value,
            "headers": pack_headers(row.headers),
            "created_at": self._now,
            "sweep_after": self._now + OWN_TIME,
            "refused": None,
        }


async def claim_stale(conn: AsyncConnection, table: Table, now: datetime, limit: int) -> list[OutboxRow]:
    """Rows that their own process did not publish in time, taken for `SWEEP_TIME` by the caller."""
    stale = (
        select(table.c.id)
        .where(table.c.sweep_after < now, table.c.refused.is_(None))
        .order_by(table.c.sweep_after, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(table)
        .where(table.c.id.in_(stale.scalar_subquery()))
        .values(sweep_after=now + SWEEP_TIME)
        .returning(table.c.id, table.c.topic, table.c.key, table.c.value, table.c.headers)
    )
    rows = (await conn.execute(taken)).all()
    return [
        OutboxRow(r.id, r.topic, r.key, r.value, unpack_headers(r.headers))
        for r in sorted(rows, key=lambda r: r.id)
    ]


async def free_what_a_wrong_clock_holds(conn: AsyncConnection, table: Table, now: datetime) -> int:
    """Have rows swept that a process with a clock ahead of this one put off; how many. Nobody puts one off as far."""
    beyond = (table.c.sweep_after > now + LONGEST_HOLD, table.c.refused.is_(None))
    return (await conn.execute(update(table).where(*beyond).values(sweep_after=now - SWEEP_TIME))).rowcount


async def forget_published(conn: AsyncConnection, table: Table, ids: list[str]) -> None:
    """Delete rows that the broker has acknowledged."""
    dialect = conn.dialect.name
    await conn.execute(_forget(table, dialect), {"ids": as_parameter(ids, dialect)})


@cache
def _forget(table: Table, dialect: str) -> Any:
    return delete(table).where(among(table.c.id, "ids", dialect))


async def oldest_unpublished(conn: AsyncConnection, table: Table) -> datetime | None:
    """When the oldest row was promised that is not published yet."""
    query = select(table.c.created_at).where(table.c.refused.is_(None)).order_by(table.c.id).limit(1)
    oldest: datetime | None = (await conn.execute(query)).scalar()
    return oldest


async def set_aside(conn: AsyncConnection, table: Table, refused: Mapping[str, str]) -> None:
    """Keep rows that the broker will never take, with its reason; nobody sweeps them."""
    never = (
        update(table)
        .where(table.c.id == bindparam("row"))
        .values(refused=bindparam("why"), sweep_after=NEVER)
    )
    await conn.execute(never, [{"row": row, "why": why[:500]} for row, why in sorted(refused.items())])


async def list_refused(conn: AsyncConnection, table: Table, limit: int = 100) -> Sequence[Any]:
    """What is set aside, oldest first: id, topic, key, headers, size in bytes, created_at, refused (why)."""
    size = func.length(table.c.value).label("size")
    columns = (table.c.id, table.c.topic, table.c.key, table.c.headers, size, table.c.created_at)
    query = select(*columns, table.c.refused)
    query = query.where(table.c.sweep_after >= NEVER, table.c.refused.is_not(None)).order_by(table.c.id)
    rows: Sequence[Any] = (await conn.execute(query.limit(limit))).all()
    return rows


async def publish_again(
    conn: AsyncConnection, table: Table, now: datetime, ids: Sequence[str] | None = None
) -> int:
    """Have what is set aside (of it `ids`, or all) tried once more, by whoever sweeps next; how much that is."""
    aside = [table.c.sweep_after >= NEVER, table.c.refused.is_not(None)]
    aside += [] if ids is None else [table.c.id.in_(ids)]
    done = await conn.execute(update(table).where(*aside).values(refused=None, sweep_after=now))
    return int(done.rowcount)


async def forget_refused(conn: AsyncConnection, table: Table, ids: Sequence[str]) -> None:
    """Delete what is set aside: nothing is to become of it."""
    if ids:
        await conn.execute(delete(table).where(table.c.id.in_(ids), table.c.refused.is_not(None)))


def pack_headers(headers: list[tuple[str, bytes]]) -> bytes:
    return orjson.dumps([[name, value.decode()] for name, value in headers])


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in orjson.loads(packed)]
