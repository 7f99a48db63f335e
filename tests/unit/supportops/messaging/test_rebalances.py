"""What a member does when partitions come and go, step by step, without a broker."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from supportops.config import KafkaSettings
from supportops.messaging import Broker
from supportops.messaging.ports import Slice
from supportops.messaging.positions import Known, Positions
from supportops.messaging.progress import Progress
from supportops.messaging.reader import Reader
from supportops.messaging.subscription import Fetching, Subscription
from supportops.store.offsets import Position, PositionMoved, ResetKind
from tests.support.eventually import eventually
from tests.support.records import FakeRecord
from tests.support.topic_ids import FIRST, SECOND, FakeClient

NOW = timedelta(0)
ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeLibrary:
    """As much of the library's consumer as a rebalance touches."""

    def __init__(self) -> None:
        self.committed: dict[TopicPartition, int] = {}
        self.sought: dict[TopicPartition, int] = {}
        self.topics = {"t": {0, 1}}
        self._client = FakeClient()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self.topics.get(topic)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed |= offsets

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset


class Stored:
    """Positions as a database would hold them."""

    def __init__(self) -> None:
        self.rows: dict[TopicPartition, int] = {ONE: 5, OTHER: 0}
        self.reset: ResetKind | None = None

    async def locate(
        self, _library: Any, partitions: Sequence[TopicPartition], _remembered: object
    ) -> dict[TopicPartition, tuple[Position, Known]]:
        at = Known(None, 0, 100, reset=self.reset)
        return {p: (Position(self.rows[p], topic_id=FIRST), at) for p in partitions}


class Member(Subscription):
    """A subscription whose work waits for `go`."""

    def __init__(self) -> None:
        broker = Broker(KafkaSettings.model_validate({"bootstrap_servers": "nowhere:1"}))
        self.stored = Stored()
        positions = cast(Positions, self.stored)
        super().__init__(broker, "csat", ["t"], self.work, positions, Fetching(2))
        self._consumer = self.library = FakeLibrary()
        self._progress = Progress(self.library, self._lanes, positions, "csat")
        self.reader = Reader(self.library, self._lanes, "csat", self._changed)
        self.go = asyncio.Event()
        self.begun: list[int] = []
        self.done: list[int] = []
        self.fails_with: Exception | None = None

    async def work(self, slices: Sequence[Slice]) -> None:
        self.begun += [record.offset for piece in slices for record in piece.records]
        await self.go.wait()
        if self.fails_with is not None:
            raise self.fails_with
        for piece in slices:
            self.done += [record.offset for record in piece.records]
            piece.position = piece.records[-1].offset + 1

    async def assign(self, *partitions: TopicPartition) -> None:
        """They are ours, and it is known where they go on."""
        await self.on_partitions_assigned(partitions)
        locating = asyncio.create_task(self._locate_all())
        await eventually(lambda: self.located)
        locating.cancel()

    def hand_over(self, partition: TopicPartition, *offsets: int) -> None:
        self.reader._hand_over({partition: [cast(Any, FakeRecord(topic="t", offset=n)) for n in offsets]})

    def loops(self) -> list["asyncio.Task[None]"]:
        self._failed = asyncio.get_running_loop().create_future()
        work = (self._work(), self._work(), self._locate_all())
        return [asyncio.create_task(self._guarded(loop)) for loop in work]


@pytest.fixture
def member() -> Member:
    return Member()


async def test_a_partition_goes_on_where_the_database_says(member: Member) -> None:
    await member.assign(ONE, OTHER)
    assert member.library.sought == {ONE: 5, OTHER: 0}


async def test_records_that_come_before_their_position_is_known_are_not_taken(member: Member) -> None:
    await member.on_partitions_assigned([ONE])
    member.hand_over(ONE, 7, 8)
    assert member._lanes.next_batch() == []
    await member.assign(ONE)
    assert member.library.sought == {ONE: 5}  # so they come again, behind what stands before them


async def test_a_revocation_waits_for_the_batch_in_hand_and_reports_it_and_no_more(member: Member) -> None:
    await member.assign(ONE, OTHER)
    loops = member.loops()
    member.hand_over(ONE, 5, 6, 7, 8)
    await eventually(lambda: member.begun == [5, 6])
    revoking = asyncio.create_task(member.on_partitions_revoked([ONE, OTHER]))
    _, unfinished = await asyncio.wait((revoking,), timeout=0.05)
    assert unfinished
    assert member.library.committed == {}
    member.go.set()
    await revoking
    assert member.done == [5, 6]
    assert member.library.committed[ONE] == 7
    await end(loops)


async def test_what_arrives_after_a_revocation_is_dropped_its_new_owner_seeks_it(member: Member) -> None:
    await member.assign(ONE)
    await member.on_partitions_revoked([ONE])
    member.hand_over(ONE, 5)
    assert member._lanes.next_batch() == []


async def test_a_batch_that_takes_too_long_does_not_hold_up_the_group(member: Member) -> None:
    member._drain = 0.05
    await member.assign(ONE)
    loops = member.loops()
    member.hand_over(ONE, 5)
    await eventually(lambda: member.begun == [5])
    await member.on_partitions_revoked([ONE])
    assert member.library.committed.get(ONE, 5) == 5
    await end(loops)


async def test_a_partition_is_worked_on_in_order_one_batch_at_a_time(member: Member) -> None:
    await member.assign(ONE)
    loops = member.loops()
    member.hand_over(ONE, 5, 6, 7, 8, 9)
    await eventually(lambda: member.begun == [5, 6])
    member.go.set()
    await eventually(lambda: member.done == [5, 6, 7, 8, 9])
    await end(loops)


async def test_a_partition_whose_batch_failed_stays_closed(member: Member) -> None:
    """The other worker must not take what stands behind it: its offset would pass over the batch that failed."""
    await member.assign(ONE, OTHER)
    loops = member.loops()
    member.fails_with = OverflowError("year 9999")
    member.hand_over(ONE, 5, 6, 7, 8)
    await eventually(lambda: member.begun == [5, 6])
    member.go.set()
    assert member._failed is not None
    with pytest.raises(OverflowError):
        await member._failed
    member.hand_over(OTHER, 0, 1)
    await eventually(lambda: 1 in member.begun)  # the other worker is alive, and takes what is not closed
    assert member.begun == [5, 6, 0, 1]
    await member.on_partitions_revoked([ONE, OTHER])
    assert member.library.committed.get(ONE, 5) == 5
    await end(loops)


async def test_a_member_that_lost_its_partition_goes_on_where_the_database_says(member: Member) -> None:
    await member.assign(ONE)
    loops = member.loops()
    member.fails_with = PositionMoved("somebody else was there")
    member.hand_over(ONE, 5, 6)
    await eventually(lambda: member.begun == [5, 6])
    member.stored.rows[ONE] = 40
    member.go.set()
    await eventually(lambda: member.library.sought == {ONE: 40})
    assert member._failed is not None
    assert not member._failed.done()
    await end(loops)


async def end(loops: Sequence["asyncio.Task[None]"]) -> None:
    for loop in loops:
        loop.cancel()
    await asyncio.wait(loops)


async def test_a_topic_that_is_gone_or_may_not_be_read_any_more_is_named(member: Member) -> None:
    """The group hands out the partitions that it sees: of this one there are none, and no lag either."""
    await member.assign(ONE)
    member.look_for_topics()
    assert member.complaints(NOW) == []
    member.library.topics.clear()
    member.look_for_topics()
    assert member.complaints(NOW) == ["topic t is not there or may not be read since 0 s"]
    assert member.complaints(timedelta(minutes=1)) == []
    member.library.topics["t"] = {0}
    member.look_for_topics()
    assert member.complaints(NOW) == []


class TestTopicMadeAnew:
    """While a member reads it: found out late, and nothing is lost by that."""

    async def test_its_positions_are_found_anew(self, member: Member) -> None:
        await member.assign(ONE, OTHER)
        await member._look_for_new_topics()
        assert member.located
        member.library._client.ids["t"] = SECOND
        await member._look_for_new_topics()
        member.stored.rows = {ONE: 0, OTHER: 3}
        loops = member.loops()
        await eventually(lambda: member.library.sought == {ONE: 0, OTHER: 3})
        await end(loops)

    async def test_a_broker_that_tells_nothing_now_changes_nothing(self, member: Member) -> None:
        await member.assign(ONE)
        member.library._client.ids.clear()
        await member._look_for_new_topics()
        assert member.located

    async def test_a_batch_in_hand_is_finished_first(self, member: Member) -> None:
        await member.assign(ONE)
        loops = member.loops()
        member.hand_over(ONE, 5, 6)
        await eventually(lambda: member.begun == [5, 6])
        member.library._client.ids["t"] = SECOND
        await member._look_for_new_topics()
        member.stored.rows[ONE] = 0
        await eventually(lambda: not member._lost.is_set(), about="there was nothing to find yet")
        assert member.library.sought == {ONE: 5}
        member.go.set()
        await eventually(lambda: member.library.sought == {ONE: 0})
        await end(loops)

    async def test_what_was_finished_of_the_old_topic_is_forgotten(self, member: Member) -> None:
        """Else the new one, being shorter, would pass for a database that was restored."""
        member.go.set()
        await member.assign(ONE)
        loops = member.loops()
        member.hand_over(ONE, 5, 6)
        await eventually(lambda: member.done == [5, 6])
        (lane,) = member._lanes
        assert lane.remembered == 7
        member.stored.reset = "made_anew"
        lane.lose()
        member._lost.set()
        await eventually(lambda: lane.located)
        assert lane.remembered == 0
        await end(loops)
