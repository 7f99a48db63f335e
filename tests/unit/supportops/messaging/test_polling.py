"""A partition that cannot be read costs the others nothing; the library's own way of losing records is imitated."""

import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, OffsetOutOfRangeError, UnsupportedCodecError

from supportops.messaging.lanes import Lane, Lanes
from supportops.messaging.reader import Reader
from supportops.store.offsets import Position
from tests.support.for_each import for_each
from tests.support.records import FakeRecord

HEALTHY, DAMAGED, ALSO_HEALTHY = (TopicPartition("t", number) for number in range(3))
NOW = timedelta(0)


class DrainingLibrary:
    """Drains partition by partition; when one raises, what was drained of all is gone and counted as delivered."""

    def __init__(
        self, damage: dict[TopicPartition, tuple[int, Exception]], length: int = 20, slow: int = 0
    ) -> None:
        self.damage = damage
        self.length = length
        self.slow = slow  # polls that pass after a seek until the broker's answer is there
        self.position = dict.fromkeys((HEALTHY, DAMAGED, ALSO_HEALTHY), 0)
        self._polls_to_go = dict.fromkeys(self.position, slow)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position[partition] = offset
        self._polls_to_go[partition] = self.slow

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        drained: dict[TopicPartition, list[Any]] = {}
        for partition in partitions:
            self._polls_to_go[partition] -= 1
            if self._polls_to_go[partition] >= 0:
                continue
            at, error = self.damage.get(partition, (self.length, None))
            while self.position[partition] < self.length and max_records:
                if self.position[partition] == at and error is not None:
                    raise error
                drained.setdefault(partition, []).append(FakeRecord(offset=self.position[partition]))
                self.position[partition] += 1
                max_records -= 1
        return drained


def world(*damage: tuple[TopicPartition, int, Exception], slow: int = 0) -> tuple[Reader, Lanes]:
    library, lanes = DrainingLibrary({p: (at, error) for p, at, error in damage}, slow=slow), Lanes(500)
    for partition in library.position:
        lanes.add(partition)
        lane_of(lanes, partition).locate(Position(0))
    return Reader(library, lanes, "csat", lambda: None), lanes


def lane_of(lanes: Lanes, partition: TopicPartition) -> Lane:
    return cast(Lane, lanes.get(partition))


def got(lanes: Lanes, partition: TopicPartition) -> list[int]:
    return [record.offset for record in lane_of(lanes, partition).waiting]


async def rounds(reader: Reader, count: int) -> None:
    for _ in range(count):
        await reader.poll(2000)


@for_each(
    "slow, error",
    [
        *((slow, UnsupportedCodecError("snappy")) for slow in (0, 1, 2, 5)),
        (0, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "the name of a header")),
        (0, zlib.error("a compressed batch is damaged, its checksum is right")),
    ],
)
async def test_an_error_of_one_partition_loses_no_record_of_the_others(slow: int, error: Exception) -> None:
    """Nor those that stand before the damage in the same answer, however late a broker's answers come.

    The library lets out what its own parts raise about a record that another program wrote.
    """
    reader, lanes = world((DAMAGED, 7, error), slow=slow)
    await rounds(reader, 100)
    assert got(lanes, HEALTHY) == got(lanes, ALSO_HEALTHY) == list(range(20))
    assert got(lanes, DAMAGED) == list(range(7))  # all that stands before the damage, and nothing behind it


async def test_what_cannot_be_read_is_named_as_long_as_it_lasts() -> None:
    error = UnsupportedCodecError("snappy")
    reader, lanes = world((DAMAGED, 0, error))
    await rounds(reader, 30)
    (complaint,) = lanes.complaints(NOW)
    assert complaint.startswith(
        "t[1] cannot be read since 0 s: UnsupportedCodecError: UnsupportedCodecError: snappy"
    )
    assert lanes.complaints(timedelta(minutes=1)) == []
    cast(DrainingLibrary, reader._library).damage.clear()
    lane_of(lanes, DAMAGED).trouble.try_at = 0  # type: ignore[union-attr]
    await rounds(reader, 3)
    assert lanes.complaints(NOW) == []
    await rounds(reader, 30)
    assert got(lanes, DAMAGED) == list(range(20))


@for_each("damaged", [(HEALTHY,), (HEALTHY, ALSO_HEALTHY), (HEALTHY, DAMAGED, ALSO_HEALTHY)])
async def test_several_may_be_in_trouble(damaged: Sequence[TopicPartition]) -> None:
    reader, lanes = world(*((p, n, UnsupportedCodecError("zstd")) for n, p in enumerate(damaged)))
    await rounds(reader, 30)
    for partition in (HEALTHY, DAMAGED, ALSO_HEALTHY):
        expected = damaged.index(partition) if partition in damaged else 20
        assert got(lanes, partition) == list(range(expected))
    assert len(lanes.complaints(NOW)) == len(damaged)


async def test_a_position_out_of_range_is_to_be_found_anew() -> None:
    reader, lanes = world((DAMAGED, 3, OffsetOutOfRangeError({DAMAGED: 3})))
    await rounds(reader, 30)
    assert [lane.partition for lane in lanes.unlocated()] == [DAMAGED]
    assert got(lanes, HEALTHY) == list(range(20))


class RefusingLibrary:
    """A member that the group does not take, or whose own machinery has ended: each poll raises at once."""

    refuses = True

    async def getmany(self, *_: TopicPartition, **_options: int) -> dict[TopicPartition, list[Any]]:
        if self.refuses:
            raise GroupAuthorizationFailedError("csat")
        return {}


async def test_a_group_that_does_not_take_us_is_named_and_not_asked_without_pause() -> None:
    library = RefusingLibrary()
    reader = Reader(library, Lanes(500), "csat", lambda: None)
    assert not await reader.poll(10), "the caller would poll again at once, and nothing else would run"
    (complaint,) = reader.complaints(NOW)
    assert complaint.startswith("cannot join its group since 0 s: GroupAuthorizationFailedError")
    assert reader.complaints(timedelta(minutes=1)) == []
    library.refuses = False
    assert await reader.poll(10)
    assert reader.complaints(NOW) == []
