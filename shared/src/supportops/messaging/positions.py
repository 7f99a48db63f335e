"""Finding where partitions go on: our own rows first, then what Kafka knows; what does not fit is named and alarmed.

| there is | we go on |
|---|---|
| no row | at the group's committed offset, else at the oldest record |
| a row of another topic of that name (it was deleted and made anew) | at the oldest record |
| a row that names no topic, and no committed offset: deleted with its topic, or too old | at the oldest record |
| a row beyond the topic's end (data was lost) | at the oldest record |
| a row before the topic's beginning (retention was faster) | at the oldest record |
| a row behind what was done already (the database was restored) | at the row; effects are asked about first |
| any other row | at the row |

What is read again is skipped by its id, and asked about where the inbox may have forgotten it: to read too much costs
time, to read too little loses events.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition

from supportops.messaging.topic_ids import topic_ids
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store
from supportops.store.offsets import (
    Advance,
    Position,
    Reset,
    ResetKind,
    Spot,
    begin_epoch,
    first_positions,
    name_topics,
    read_positions,
    reset_position,
    take_and_advance,
)

_log = get_logger("supportops.consumer")


@dataclass(frozen=True)
class Known:
    """What the broker says of a partition: the group's committed offset, the oldest record, the end, and the topic's id
    (None where it tells none); `reset`: why the row did not fit.
    """

    committed: int | None
    begin: int
    end: int
    topic_id: str | None = None
    reset: ResetKind | None = None


class Positions:
    """The positions of one group."""

    def __init__(self, store: Store, group: str, metrics: Recorder) -> None:
        self._store = store
        self._group = group
        self._metrics = metrics

    async def locate(
        self, library: Any, partitions: Sequence[TopicPartition], remembered: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, tuple[Position, Known]]:
        """Where to go on with each partition. `remembered`: what this member knows to be finished.

        Raises what the library or the database raises: nothing is taken before all is known. Asked in this order while
        other members may be at work: what Kafka was told is never ahead of our rows, and those never beyond the end.
        """
        committed = dict(zip(partitions, await _committed(library, partitions), strict=True))
        rows = await self._stored()
        known = await _ask(library, committed)
        rows |= await self._first_rows({p: at for p, at in known.items() if p not in rows})
        for partition in partitions:
            if kind := _misfit(rows[partition], known[partition]):
                rows[partition] = await self._reset(partition, rows[partition], known[partition], kind)
                known[partition] = replace(known[partition], reset=kind)
        rows |= await self._named({p: rows[p] for p in partitions}, known)
        # What was remembered of another topic says nothing of this one.
        done = {p: max(at.committed or 0, 0 if at.reset else remembered.get(p, 0)) for p, at in known.items()}
        if behind := {p: at for p, at in done.items() if _is_behind(rows[p], at)}:
            rows |= await self._restored(behind, rows)
        return {p: (rows[p], known[p]) for p in partitions}

    async def advance(self, moves: Sequence[Advance]) -> None:
        """Move on where there is nothing to handle. Raises PositionMoved."""
        async with self._store.transaction() as tx:
            await take_and_advance(tx.conn, self._group, (), moves, tx.now)

    async def _stored(self) -> dict[Spot, Position]:
        async with self._store.reading() as conn:
            return await read_positions(conn, self._group)

    async def _first_rows(self, known: Mapping[TopicPartition, Known]) -> dict[Spot, Position]:
        """Rows for partitions that have none."""
        if not known:
            return {}
        async with self._store.transaction() as tx:
            await first_positions(tx.conn, self._group, {p: _first(at) for p, at in known.items()}, tx.now)
            return await read_positions(tx.conn, self._group)

    async def _reset(
        self, partition: TopicPartition, row: Position, known: Known, kind: ResetKind
    ) -> Position:
        """Go on at the oldest record: never silently, and never from the end."""
        to = _begun_anew(row, known, kind)
        async with self._store.transaction() as tx:
            await reset_position(tx.conn, self._group, partition, Reset(kind, row.next_offset, to), tx.now)
        ids = {"topic_id": known.topic_id, "topic_before": row.topic_id}
        self._alarm(partition, kind, stored=row.next_offset, begin=known.begin, end=known.end, **ids)
        return to

    async def _named(
        self, rows: Mapping[TopicPartition, Position], known: Mapping[TopicPartition, Known]
    ) -> dict[Spot, Position]:
        """Rows of an older release, or of a broker that told no ids before, learn which topic they are of."""
        ids = {p: at.topic_id for p, at in known.items() if at.topic_id and not rows[p].topic_id}
        if not ids:
            return {}
        async with self._store.transaction() as tx:
            await name_topics(tx.conn, self._group, dict(ids))
        return {p: replace(rows[p], topic_id=topic_id) for p, topic_id in ids.items()}

    async def _restored(
        self, behind: Mapping[TopicPartition, int], rows: Mapping[Spot, Position]
    ) -> dict[Spot, Position]:
        """The database knows less than was done: a new epoch."""
        spots = {partition: (rows[partition].next_offset, done) for partition, done in behind.items()}
        async with self._store.transaction() as tx:
            first = await begin_epoch(tx.conn, self._group, spots, tx.now)
        for partition, (stored, done) in spots.items():
            self._alarm(partition, "restored", stored=stored, done=done, deliveries_asked_first=first)
        return {p: replace(rows[p], reread_until=done, accounted_for=done) for p, done in behind.items()}

    def _alarm(self, partition: TopicPartition, kind: ResetKind, **facts: object) -> None:
        self._metrics.count("consumer_resets", group=self._group, topic=partition.topic, kind=kind)
        _log.error(
            "consumer.position_reset",
            group=self._group,
            topic=partition.topic,
            partition=partition.partition,
            kind=kind,
            meaning=MEANING[kind],
            **facts,
        )


MEANING: dict[ResetKind, str] = {
    "made_anew": "the topic is another one of the same name: it was deleted and made anew; read from its beginning",
    "maybe_anew": "nothing tells whether the topic is still the one that was read: read again from its beginning",
    "beyond_end": "the topic ends before our position: it lost data, or was made anew; read again from its beginning",
    "before_beginning": "records were removed by retention before they were read; read on from the oldest one",
    "restored": "the database is older than what was done: records are read again, effects are asked about first",
}


async def _committed(library: Any, partitions: Sequence[TopicPartition]) -> list[int | None]:
    return list(await asyncio.gather(*(library.committed(partition) for partition in partitions)))


async def _ask(library: Any, committed: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, Known]:
    partitions = list(committed)
    begins = await library.beginning_offsets(partitions)
    ends = await library.end_offsets(partitions)
    ids = await topic_ids(library, {p.topic for p in partitions})
    return {p: Known(committed[p], begins[p], ends[p], ids.get(p.topic)) for p in partitions}


def _first(known: Known) -> Position:
    """Where a group begins that has no row: where it stood in Kafka, if that is still there, else at the oldest."""
    at = known.committed
    there = at is not None and known.begin <= at <= known.end
    next_offset = at if at is not None and there else known.begin
    return Position(next_offset, accounted_for=at, topic_id=known.topic_id)


def _is_behind(row: Position, done: int) -> bool:
    """Whether more was done than the database knows; the same disagreement is noticed once."""
    return done > row.next_offset and done != row.accounted_for


def _misfit(row: Position, known: Known) -> ResetKind | None:
    if row.topic_id and known.topic_id:
        if row.topic_id != known.topic_id:
            return "made_anew"
    elif known.committed is None and row.next_offset > known.begin:
        return "maybe_anew"  # Kafka deletes committed offsets with their topic, and when they are old
    if row.next_offset > known.end:
        return "beyond_end"
    return "before_beginning" if row.next_offset < known.begin else None


def _begun_anew(row: Position, known: Known, kind: ResetKind) -> Position:
    """The position at the oldest record.

    Doubtful is what may have been handled without our database's knowing: in a new topic what somebody of the group has
    read of it (before the database was restored), in one that may be the old one what the row says. Where the topic has
    only become shorter at its beginning, the row's own doubts stay.
    """
    if kind == "before_beginning":
        return replace(row, next_offset=known.begin)
    until = {"made_anew": known.committed, "maybe_anew": min(row.next_offset, known.end)}.get(kind)
    return Position(
        known.begin,
        row.dead_in_a_row,
        reread_until=until if until is not None and until > known.begin else None,
        accounted_for=known.committed,
        topic_id=known.topic_id,
    )
