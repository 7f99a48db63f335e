"""The consumer on a real broker: offsets follow work, whoever joins, leaves, dies or stops."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supportops.contracts import TicketSolved
from supportops.store import Store
from tests.support.consuming import Stage, all_solved, consumer, solves, stage_on
from tests.support.engine import running, solved, store_on
from tests.support.eventually import eventually
from tests.support.records import FakeRecord

# One database is enough here: what a batch does in each is tested without a broker.
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour) as stage:
        yield stage


async def test_events_are_handled_once_and_acknowledged(stage: Stage, live_store: Store) -> None:
    events = [solved(n % 50) for n in range(200)]
    await stage.send(*events)
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 200), within=30)
        await stage.send(*events[:100], solved(50))  # duplicates, and one to wait for
        await eventually(lambda: all_solved(live_store, 201), within=30)
    assert await solves(live_store) == {str(n): 4 for n in range(50)} | {"50": 1}
    assert await stage.committed() == 301  # a graceful stop commits what it has done


async def test_after_a_stop_the_next_one_goes_on_where_it_stood(stage: Stage, live_store: Store) -> None:
    for round_ in (1, 2):
        await stage.send(*(solved(n) for n in range(20)))
        member = consumer(stage, live_store)
        async with running(member):
            await eventually(lambda n=20 * round_: all_solved(live_store, n), within=30)  # type: ignore[misc]
    assert set((await solves(live_store)).values()) == {2}


async def test_poison_and_garbage_go_to_the_dead_letters_and_all_others_pass(
    stage: Stage, live_store: Store
) -> None:
    garbage = FakeRecord(b"1", b"\xff", [("x", b"\xfe")], topic=stage.topic)
    await stage.send(solved(1), solved(666), solved(2))
    await stage.send_records(garbage)
    await stage.send(solved(3))
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 3), within=30)
        letters = await eventually(lambda: stage.dead_letters(2), within=30)
    assert (await solves(live_store)).keys() == {"1", "2", "3"}
    by_stage = {dict(letter.headers)["dl_stage"]: letter for letter in letters}
    unread, handled = by_stage[b"decode"], by_stage[b"handle"]
    assert (unread.key, unread.value, unread.headers[0]) == (b"1", b"\xff", ("x", b"\xfe"))
    assert dict(handled.headers)["ce_type"] == TicketSolved.type.encode()
    assert dict(handled.headers)["dl_topic"] == stage.topic.encode()
    assert await stage.committed() == 5


async def test_too_many_dead_letters_close_their_partition_the_others_go_on(
    stage: Stage, live_store: Store
) -> None:
    """All of ticket 666 are in one partition: three are buried, and a restart buries none of them again."""
    await stage.send(*(solved(666) for _ in range(6)))
    await closed_while_others_go_on(stage, live_store, 30)
    await closed_while_others_go_on(stage, live_store, 60)
    assert len(await stage.dead_letters()) == 3


async def closed_while_others_go_on(stage: Stage, store: Store, count: int) -> None:
    """Ticket 666's partition is closed; at least every second of thirty tickets is in another one."""
    member = consumer(stage, store, dead_letters_in_a_row=3, tries=1)

    def closed() -> bool:
        return any("3 dead letters in a row" in each for each in member.complaints(timedelta(0)))

    async with running(member):
        await eventually(closed, within=30)
        await stage.send(*(solved(n) for n in range(30)))
        await eventually(lambda: all_solved(store, count // 2), within=30)
        assert closed()


async def test_members_come_and_go_in_the_middle_of_batches_and_nothing_is_lost_or_doubled(
    kafka_address: str, kafka_flavour: str, app_database: str
) -> None:
    """Twelve partitions, three members: one joins late, one leaves, one is cut off without a word."""
    total = 1_200
    async with stage_on(kafka_address, kafka_flavour, partitions=12) as stage:
        stores = [store_on(app_database) for _ in range(3)]
        first, second, third = [await store.__aenter__() for store in stores]
        sent = [solved(n % 240) for n in range(total)]
        members = [consumer(stage, store, max_batch=20) for store in (first, second, third)]
        leaving = asyncio.Event()
        tasks = [asyncio.create_task(members[0].run(asyncio.Event()))]
        for start in range(0, total, 100):
            await stage.send(*sent[start : start + 100])
            if start == 200:
                tasks.append(asyncio.create_task(members[1].run(leaving)))
            if start == 500:
                tasks.append(asyncio.create_task(members[2].run(asyncio.Event())))
                await eventually(lambda: all_solved(first, 200), within=30)
            if start == 800:
                leaving.set()
            if start == 900:
                tasks[0].cancel()
        await eventually(lambda: all_solved(third, total), within=60)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        expected = Counter(event.ticket_id for event in sent)
        assert await solves(third) == expected
        assert await stage.dead_letters() == []
        for store in stores:
            await store.__aexit__(None, None, None)
