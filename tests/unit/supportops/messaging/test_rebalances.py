"""What a member does when partitions come and go, step by step, without a broker."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from supportops.config import KafkaSettings
from supportops.messaging import Broker
from supportops.messaging.ports import Record
from supportops.messaging.subscription import Subscription, Take
from tests.support.eventually import eventually
from tests.support.records import FakeRecord

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeConsumer:
    """As much of the library's consumer as a rebalance touches."""

    def __init__(self) -> None:
        self.committed: dict[TopicPartition, int] = {}
        self.sought: dict[TopicPartition, int] = {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed |= offsets

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset


class Member(Subscription):
    """A subscription whose work waits for `go`."""

    def __init__(self) -> None:
        broker = Broker(KafkaSettings.model_validate({"bootstrap_servers": "nowhere:1"}))
        super().__init__(broker, "csat", ["t"], self.work, Take(2))
        self._consumer = self.library = FakeConsumer()
        self.go = asyncio.Event()
        self.begun: list[int] = []
        self.done: list[int] = []

    async def work(self, records: Sequence[Record]) -> None:
        self.begun += [record.offset for record in records]
        await self.go.wait()
        self.done += [record.offset for record in records]


@pytest.fixture
def member() -> Member:
    return Member()


def records(*offsets: int) -> list[Any]:
    return [FakeRecord(topic="t", offset=offset) for offset in offsets]


async def test_records_that_come_before_their_assignment_are_given_back_not_dropped(member: Member) -> None:
    member._hand_over(ONE, records(5, 6))
    assert member.library.sought == {ONE: 5}


async def test_a_revocation_waits_for_the_batch_in_hand_and_commits_it_and_no_more(member: Member) -> None:
    await member.on_partitions_assigned([ONE, OTHER])
    working = asyncio.create_task(member._work())
    member._hand_over(ONE, records(5, 6, 7, 8))
    await eventually(lambda: member.begun == [5, 6])
    revoking = asyncio.create_task(member.on_partitions_revoked([ONE, OTHER]))
    _, unfinished = await asyncio.wait((revoking,), timeout=0.05)
    assert unfinished
    assert member.library.committed == {}
    member.go.set()
    await revoking
    assert member.done == [5, 6]
    assert member.library.committed == {ONE: 7}
    working.cancel()


async def test_what_arrives_after_a_revocation_is_given_back(member: Member) -> None:
    await member.on_partitions_assigned([ONE])
    await member.on_partitions_revoked([ONE])
    member._hand_over(ONE, records(9))
    assert member.library.sought == {ONE: 9}


async def test_a_batch_that_takes_too_long_does_not_hold_up_the_group(member: Member) -> None:
    member._drain = 0.05
    await member.on_partitions_assigned([ONE])
    working = asyncio.create_task(member._work())
    member._hand_over(ONE, records(5))
    await eventually(lambda: member.begun == [5])
    await member.on_partitions_revoked([ONE])
    assert member.library.committed == {}  # redelivered to the new owner; the inbox knows what we had done
    working.cancel()


async def test_a_partition_is_worked_on_in_order_one_batch_at_a_time(member: Member) -> None:
    await member.on_partitions_assigned([ONE])
    workers = [asyncio.create_task(member._work()) for _ in range(2)]
    member._hand_over(ONE, records(1, 2, 3, 4, 5))
    await eventually(lambda: member.begun == [1, 2])
    member.go.set()
    await eventually(lambda: member.done == [1, 2, 3, 4, 5])
    for worker in workers:
        worker.cancel()
