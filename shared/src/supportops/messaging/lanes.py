"""The partitions that a member has: what waits of each, what is finished, and what the next batch is made of."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition

from supportops.messaging.ports import Record, Slice
from supportops.store.offsets import Position

LEAST_WAITING = 25  # records of a partition, however many partitions there are
QUIET_BEFORE_WELL = 25  # polls of nothing, of a partition that could not be read, until it counts as mended


@dataclass
class Trouble:
    """Why a partition cannot be read, since when, and when it is tried again."""

    reason: str
    since: float = field(default_factory=time.monotonic)
    try_at: float = 0.0
    quiet_polls: int = 0
    at: int | None = None  # the first record that cannot be read, once it is known

    def stands_at(self, offset: int) -> None:
        """The record at `offset` cannot be read."""
        self.at, self.quiet_polls = offset, 0

    def is_over(self, handed_over: int) -> bool:
        """Whether that record could be read after all; or nothing was heard of it for long, and nothing came either."""
        return (self.at is not None and handed_over > self.at) or self.quiet_polls >= QUIET_BEFORE_WELL

    def wait(self, seconds: float) -> None:
        """Leave the partition alone for a while."""
        self.try_at = time.monotonic() + seconds


@dataclass(eq=False)
class Lane:
    """One assigned partition. It is `located` once its position is known and sought; before, nothing of it is taken."""

    partition: TopicPartition
    waiting: deque[Record] = field(default_factory=deque)
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # no record of it is in a batch in hand
    located: bool = False
    next_offset: int = 0  # the first record that is not finished, as in the database
    handed_over: int = 0  # the first record that was not handed to us yet
    committed: int | None = None  # what Kafka was told, for its displays
    dead_in_a_row: int = 0
    reread_until: int = 0
    topic_id: str | None = None  # which topic the position is of, where the broker tells it
    trouble: Trouble | None = None
    suspect_until: float = 0.0  # it may be the one whose error was raised (monotonic time)
    closed: str | None = None
    remembered: int = (
        0  # the highest offset that we finished ourselves: a database that knows less is an older one
    )

    def __post_init__(self) -> None:
        self.idle.set()

    def locate(self, position: Position) -> None:
        """Go on at `position`."""
        self.waiting.clear()
        self.next_offset = self.handed_over = position.next_offset
        self.dead_in_a_row = position.dead_in_a_row
        self.reread_until = position.reread_until or 0
        self.topic_id = position.topic_id
        self.located, self.trouble, self.suspect_until = True, None, 0.0

    def lose(self) -> None:
        """Forget the position: the stored one is another."""
        self.located = False
        self.waiting.clear()

    def hand_over(self, records: list[Record]) -> None:
        """Take records in; those of a position that we have left are none of ours."""
        fresh = [record for record in records if record.offset >= self.handed_over and self.closed is None]
        if fresh:
            self.waiting.extend(fresh)
            self.handed_over = fresh[-1].offset + 1

    @property
    def rests(self) -> bool:
        """Whether everything that was handed over is finished."""
        return self.located and not self.waiting and self.idle.is_set()

    def pass_over(self, position: int) -> None:
        """Offsets before `position` hold no record."""
        self.next_offset = position
        self.handed_over = max(self.handed_over, position)

    def cut(self, share: int) -> Slice:
        """The next `share` records at most, as a slice; the lane is busy until `finish`.

        What was read before and what is new never share a slice: the former is asked about, the latter is not.
        """
        uncertain = self.waiting[0].offset < self.reread_until
        records: list[Record] = []
        while self.waiting and len(records) < share:
            if uncertain and self.waiting[0].offset >= self.reread_until:
                break
            records.append(self.waiting.popleft())
        self.idle.clear()
        topic, partition = self.partition
        return Slice(topic, partition, self.next_offset, records, self.dead_in_a_row, uncertain)

    def finish(self, piece: Slice) -> None:
        """Take note of what became of a slice."""
        self.next_offset, self.dead_in_a_row = piece.position, piece.dead_in_a_row
        self.remembered = max(self.remembered, self.next_offset)
        if piece.closed is not None:
            self.closed = piece.closed
            self.waiting.clear()


class Lanes:
    """All partitions of a member."""

    def __init__(self, max_batch: int) -> None:
        self.max_batch = max_batch
        self._lanes: dict[TopicPartition, Lane] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, partition: TopicPartition) -> Lane | None:
        return self._lanes.get(partition)

    def add(self, partition: TopicPartition) -> None:
        self._lanes[partition] = Lane(partition)

    def pop(self, partition: TopicPartition) -> Lane | None:
        return self._lanes.pop(partition, None)

    def unlocated(self) -> list[Lane]:
        """Lanes whose position is to be found, and of which no batch is in hand."""
        return [lane for lane in self if not lane.located and lane.closed is None and lane.idle.is_set()]

    def all_read(self) -> list[Lane]:
        """Lanes of which everything that was handed over is finished."""
        return [lane for lane in self if lane.rests]

    def with_room(self) -> list[Lane]:
        """Lanes that may be polled together."""
        now = time.monotonic()
        return [lane for lane in self._readable() if lane.trouble is None and lane.suspect_until <= now]

    def suspects(self) -> list[Lane]:
        """Lanes of which one has raised an error, and it is not known yet which."""
        now = time.monotonic()
        return [lane for lane in self._readable() if lane.trouble is None and lane.suspect_until > now]

    def in_trouble(self) -> list[tuple[Lane, Trouble]]:
        """Lanes that are polled alone now, so that their errors cost the others nothing."""
        now, lanes = time.monotonic(), self._readable()
        return [
            (lane, lane.trouble) for lane in lanes if lane.trouble is not None and lane.trouble.try_at <= now
        ]

    def _readable(self) -> list[Lane]:
        enough = self.enough
        return [lane for lane in self if lane.located and lane.closed is None and len(lane.waiting) < enough]

    @property
    def enough(self) -> int:
        """Records that wait of one partition before no more of it are read: with the others' it makes two batches.
        What waits is memory, and the library holds the broker's next answer already.
        """
        return max(LEAST_WAITING, 2 * self.max_batch // max(1, len(self)))

    def next_batch(self) -> list[tuple[Lane, Slice]]:
        """Consecutive records of partitions that are in no batch in hand, a fair share of each.

        What is read again goes first, and by itself: a transaction is either asked about or not.
        """
        ready = [lane for lane in self if lane.waiting and lane.idle.is_set() and lane.located]
        again = [lane for lane in ready if lane.waiting[0].offset < lane.reread_until]
        chosen = again or ready
        share = max(1, self.max_batch // max(1, len(chosen)))
        return [(lane, lane.cut(share)) for lane in chosen]

    def complaints(self, after: timedelta) -> list[str]:
        """What keeps partitions from being read, in words for an operator; what is younger than `after` is left out."""
        now, found = time.monotonic(), []
        for lane in self:
            name = f"{lane.partition.topic}[{lane.partition.partition}]"
            if lane.closed is not None:
                found.append(f"{name} is closed: {lane.closed}")
            elif lane.trouble is not None and now - lane.trouble.since >= after.total_seconds():
                seconds = round(now - lane.trouble.since)
                found.append(f"{name} cannot be read since {seconds} s: {lane.trouble.reason}")
        return found


def lag_of(lane: Lane, end: Any) -> int:
    """Records that are not finished, up to `end` (the broker's high watermark; None where it is not known yet)."""
    return len(lane.waiting) if end is None else max(0, int(end) - lane.next_offset)
