"""Finding where partitions go on: our own rows first, then what Kafka knows; what does not fit is named and alarmed.

| there is | we go on |
|---|---|
| no row | at the group's committed offset, else at the oldest record |
| a row beyond the topic's end (made anew, or data was lost) | at the oldest record |
| a row before the topic's beginning (retention was faster) | at the oldest record |
| a row behind what was done already (the database was restored) | at the row; effects are asked about first |
| any other row | at the row |
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition

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
    read_positions,
    reset_position,
    take_and_advance,
)

_log = get_logger("supportops.consumer")


@dataclass(frozen=True)
class Known:
    """What the broker says of a partition: the group's committed offset, the oldest record, the end."""

    committed: int | None
    begin: int
    end: int


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
        done = {p: max(known[p].committed or 0, remembered.get(p, 0)) for p in partitions}
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
        reset = Reset(kind, row.next_offset, known.begin, known.committed)
        async with self._store.transaction() as tx:
            await reset_position(tx.conn, self._group, partition, reset, tx.now)
        self._alarm(partition, kind, stored=row.next_offset, begin=known.begin, end=known.end)
        return Position(known.begin, row.dead_in_a_row, accounted_for=known.committed)

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
    "beyond_end": "the topic ends before our position: it was made anew or lost data; read again from its beginning",
    "before_beginning": "records were removed by retention before they were read; read on from the oldest one",
    "restored": "the database is older than what was done: records are read again, effects are asked about first",
}


async def _committed(library: Any, partitions: Sequence[TopicPartition]) -> list[int | None]:
    return list(await asyncio.gather(*(library.committed(partition) for partition in partitions)))


async def _ask(library: Any, committed: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, Known]:
    partitions = list(committed)
    begins = await library.beginning_offsets(partitions)
    ends = await library.end_offsets(partitions)
    return {p: Known(committed[p], begins[p], ends[p]) for p in partitions}


def _first(known: Known) -> Position:
    """Where a group begins that has no row: where it stood in Kafka, if that is still there, else at the oldest."""
    at = known.committed
    there = at is not None and known.begin <= at <= known.end
    return Position(at if at is not None and there else known.begin, accounted_for=at)


def _is_behind(row: Position, done: int) -> bool:
    """Whether more was done than the database knows; the same disagreement is noticed once."""
    return done > row.next_offset and done != row.accounted_for


def _misfit(row: Position, known: Known) -> ResetKind | None:
    if row.next_offset > known.end:
        return "beyond_end"
    return "before_beginning" if row.next_offset < known.begin else None
