"""Where each partition of a consumer group goes on: rows that move in the transaction of the batch, or not at all.

The write is conditional on the offset that the batch began from: a member that has lost its partition without knowing
it, or whose database is not the one it knew, changes nothing and hears of it (`PositionMoved`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal

import orjson
from sqlalchemy import BigInteger, Integer, Text, bindparam, func, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.errors import SupportOpsError
from supportops.store.inbox import POSTGRES_TAKE, take_new
from supportops.store.tables import ENGINE, UtcDateTime, active
from supportops.store.upsert import insert_into

type Spot = tuple[str, int]
"""Topic and partition."""
type ResetKind = Literal["made_anew", "maybe_anew", "beyond_end", "before_beginning", "restored"]

SAME_RESTORE = timedelta(minutes=10)  # partitions that notice one within this time mean the same


class PositionMoved(SupportOpsError):
    """The stored offset is not the one that the batch began from: nothing was written."""


@dataclass(frozen=True)
class Position:
    """One row: the first record that is not finished, in which topic, and what a restart must not forget."""

    next_offset: int
    dead_in_a_row: int = 0
    reread_until: int | None = None
    accounted_for: int | None = None
    topic_id: str | None = None
    """The topic that the offset is of, where the broker tells ids."""


@dataclass(frozen=True)
class Reset:
    """A partition that cannot go on where it stood (offset `before`), and where it begins instead."""

    kind: ResetKind
    before: int
    to: Position


@dataclass(frozen=True)
class Advance:
    """One partition's step in a batch: from offset `begin` to `end`, with `dead` dead letters in a row after it."""

    topic: str
    partition: int
    begin: int
    end: int
    dead: int


async def read_positions(conn: AsyncConnection, group: str) -> dict[Spot, Position]:
    """All rows of a group."""
    rows = await conn.execute(_READ, {"group": group})
    return {(r.topic, r.partition): _position(r) for r in rows}


async def first_positions(
    conn: AsyncConnection, group: str, positions: Mapping[Spot, Position], now: datetime
) -> None:
    """Write the rows of partitions that have none; a row that somebody else has just written stands."""
    rows = [
        {"consumer_group": group, "topic": topic, "partition": partition, "updated_at": now}
        | asdict(position)
        for (topic, partition), position in sorted(positions.items())
    ]
    if rows:
        await conn.execute(insert_into(conn, ENGINE.consumer_offsets).on_conflict_do_nothing(), rows)


async def take_and_advance(
    conn: AsyncConnection, group: str, event_ids: Sequence[str], advances: Sequence[Advance], now: datetime
) -> set[str]:
    """Move the offsets of a batch and mark its events as taken; returns the events that were new.

    One statement on PostgreSQL. Raises PositionMoved when a row is not where its batch began.
    """
    moves = sorted(advances, key=lambda a: (a.topic, a.partition))
    if conn.dialect.name == "sqlite":
        await _advance_one_by_one(conn, group, moves, now)
        return await take_new(conn, group, event_ids, now) if event_ids else set()
    parameters = {
        "group": group,
        "now": now,
        "ids": sorted(set(event_ids)),
        "topics": [a.topic for a in moves],
        "partitions": [a.partition for a in moves],
        "begins": [a.begin for a in moves],
        "ends": [a.end for a in moves],
        "deads": [a.dead for a in moves],
    }
    moved, taken = (await conn.execute(_TAKE_AND_ADVANCE, parameters)).one()
    if moved != len(moves):
        raise PositionMoved(_moved(group, moves))
    return set(taken or ())


async def reset_position(conn: AsyncConnection, group: str, spot: Spot, reset: Reset, now: datetime) -> None:
    """Start a partition anew, and remember why. Raises PositionMoved when it is not where it was."""
    values = {
        **asdict(reset.to),
        "reset_kind": reset.kind,
        "reset_at": now,
        "reset_from": reset.before,
        "updated_at": now,
    }
    await _update_one(conn, group, spot, reset.before, values)


async def name_topics(conn: AsyncConnection, group: str, ids: Mapping[Spot, str]) -> None:
    """Put down which topics rows are of that do not say so yet."""
    o = ENGINE.consumer_offsets
    for (topic, topic_id), spots in groupby(sorted(ids), key=lambda spot: (spot[0], ids[spot])):
        here = (o.c.consumer_group == group, o.c.topic == topic, o.c.partition.in_([p for _, p in spots]))
        await conn.execute(update(o).where(*here, o.c.topic_id.is_(None)).values(topic_id=topic_id))


async def begin_epoch(
    conn: AsyncConnection, group: str, behind: Mapping[Spot, tuple[int, int]], now: datetime
) -> bool:
    """The database is older than what was done: from now on nothing is taken for new that may have happened.

    `behind`: for each partition its stored offset, and the offset up to which records may have been handled. Those are
    read again, and what they schedule is asked about first; so are the deliveries that are open now, unless another
    partition has seen to that a moment ago (`SAME_RESTORE`). Returns whether it was us.
    """
    o, d = ENGINE.consumer_offsets, ENGINE.deliveries
    last = (
        await conn.execute(
            select(func.max(o.c.reset_at)).where(o.c.consumer_group == group, o.c.reset_kind == "restored")
        )
    ).scalar()
    first = (
        last is None or abs(now - last) > SAME_RESTORE
    )  # noted by a clock that was ahead: not the same either
    for spot, (stored, until) in sorted(behind.items()):
        values = {
            "reread_until": until,
            "accounted_for": until,
            "reset_kind": "restored",
            "reset_at": now,
            "reset_from": until,
        }
        await _update_one(conn, group, spot, stored, values)
    if first:
        await conn.execute(update(d).where(active(d)).values(uncertain=True))
    return first


def _position(row: Any) -> Position:
    return Position(row.next_offset, row.dead_in_a_row, row.reread_until, row.accounted_for, row.topic_id)


async def _update_one(
    conn: AsyncConnection, group: str, spot: Spot, before: int, values: Mapping[str, Any]
) -> None:
    o = ENGINE.consumer_offsets
    topic, partition = spot
    here = (o.c.consumer_group == group, o.c.topic == topic, o.c.partition == partition)
    done = await conn.execute(update(o).where(*here, o.c.next_offset == before).values(**values))
    if done.rowcount != 1:
        raise PositionMoved(f"{group}: {topic}[{partition}] is not at {before} any more")


async def _advance_one_by_one(
    conn: AsyncConnection, group: str, moves: Sequence[Advance], now: datetime
) -> None:
    """SQLite has no UPDATE within WITH; a file is near, and its writer alone."""
    if not moves:
        return
    rows = orjson.dumps([[a.topic, a.partition, a.begin, a.end, a.dead] for a in moves]).decode()
    done = await conn.execute(_ADVANCE_SQLITE, {"group": group, "now": now, "moves": rows})
    if done.rowcount != len(moves):
        raise PositionMoved(_moved(group, moves))


def _moved(group: str, moves: Sequence[Advance]) -> str:
    spots = ", ".join(f"{a.topic}[{a.partition}] from {a.begin}" for a in moves[:5])
    return f"{group}: somebody else has moved on, or the database is another one ({spots})"


def _advance_sqlite() -> Any:
    o = ENGINE.consumer_offsets
    move = func.json_each(bindparam("moves", type_=Text)).table_valued("value", name="move").c.value
    return (
        update(o)
        .where(
            o.c.consumer_group == bindparam("group"),
            o.c.topic == func.json_extract(move, "$[0]"),
            o.c.partition == func.json_extract(move, "$[1]"),
            o.c.next_offset == func.json_extract(move, "$[2]"),
        )
        .values(
            next_offset=func.json_extract(move, "$[3]"),
            dead_in_a_row=func.json_extract(move, "$[4]"),
            updated_at=bindparam("now", type_=UtcDateTime),
        )
    )


def _take_and_advance() -> Any:
    """Both as parts of one statement: a message costs a round trip less."""
    o = ENGINE.consumer_offsets
    arrays = (
        bindparam("topics", type_=postgresql.ARRAY(Text)),
        bindparam("partitions", type_=postgresql.ARRAY(Integer)),
        bindparam("begins", type_=postgresql.ARRAY(BigInteger)),
        bindparam("ends", type_=postgresql.ARRAY(BigInteger)),
        bindparam("deads", type_=postgresql.ARRAY(Integer)),
    )
    move = func.unnest(*arrays).table_valued("topic", "partition", "begins", "ends", "dead")
    move = move.render_derived(name="move")
    moved = (
        update(o)
        .where(
            o.c.consumer_group == bindparam("group"),
            o.c.topic == move.c.topic,
            o.c.partition == move.c.partition,
            o.c.next_offset == move.c.begins,
        )
        .values(
            next_offset=move.c.ends,
            dead_in_a_row=move.c.dead,
            updated_at=bindparam("now", type_=UtcDateTime),
        )
        .returning(o.c.partition)
        .cte("moved")
    )
    taken = POSTGRES_TAKE.cte("taken")
    return select(
        select(func.count()).select_from(moved).scalar_subquery(),
        select(func.array_agg(taken.c.event_id)).scalar_subquery(),
    )


_READ = select(ENGINE.consumer_offsets).where(ENGINE.consumer_offsets.c.consumer_group == bindparam("group"))
_ADVANCE_SQLITE = _advance_sqlite()
_TAKE_AND_ADVANCE = _take_and_advance()
