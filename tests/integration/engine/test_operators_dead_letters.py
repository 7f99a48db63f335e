"""Dead letters on a real broker: listed, published again for their group alone byte for byte, dropped."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from supportops.contracts import Event, TicketSolved
from supportops.errors import Permanent
from supportops.messaging import Consumer, ConsumerPolicy, Handlers
from supportops.observability.metrics import Metrics
from supportops.operations.dead_letter_commands import _details
from supportops.operations.dead_letters import Letter, LetterFilter, drop, letters, original, replay
from supportops.store import Store, Transaction
from tests.support.consuming import Stage, consumer, read_all, stage_on
from tests.support.engine import running, solved
from tests.support.eventually import eventually
from tests.support.records import FakeRecord, record_of

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
ODD = [("x", b"\xfe"), ("null", None), ("empty", b""), ("ce_type", b"support.ticket.solved.v1")]
GARBAGE = FakeRecord(b"\x00key", b"\xff\x00", ODD)


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour) as stage:
        yield stage


async def buried(stage: Stage, store: Store, *records: FakeRecord) -> list[Letter]:
    """Let the group's consumer meet records that it cannot handle; the letters that come of it."""
    await stage.send_records(*(replace(record, topic=stage.topic) for record in records))
    async with running(consumer(stage, store, tries=1)):
        await eventually(lambda: stage.dead_letters(len(records)), within=30)
    return await listed(stage, store)


async def listed(stage: Stage, store: Store, wanted: LetterFilter | None = None) -> list[Letter]:
    return [letter async for letter in letters(stage.broker, store, stage.group, wanted or LetterFilter())]


def handling(stage: Stage, store: Store, group: str, seen: list[str]) -> Consumer:
    """A consumer without the bug, of that group, on the same topic."""

    def note(event: Event, _tx: Transaction) -> None:
        seen.append(event.id)

    policy = ConsumerPolicy(topics=(stage.topic,))
    table = Handlers().on(TicketSolved, note)
    return Consumer(stage.broker, store, table, group=group, metrics=Metrics(), policy=policy)


async def test_a_letter_tells_why_and_where_it_died(stage: Stage, live_store: Store) -> None:
    poison, garbage = await buried(stage, live_store, record_of(solved(666, event_id="poison")), GARBAGE)
    assert (poison.id, poison.stage, poison.event_id, poison.subject) == ("0:0", "handle", "poison", "666")
    assert "a bug of ours" in poison.reason
    assert poison.origin.startswith(f"{stage.topic}:")
    assert (garbage.stage, garbage.bytes) == ("decode", 2)
    only = LetterFilter(reason="a bug of ours", subject="666", event_type=TicketSolved.type)
    assert [letter.id for letter in await listed(stage, live_store, only)] == [poison.id]
    assert await listed(stage, live_store, LetterFilter(subject="1")) == []


async def test_a_replay_is_the_very_record_for_its_group_alone(stage: Stage, live_store: Store) -> None:
    record = record_of(solved(666, event_id="poison"))
    (letter,) = await buried(stage, live_store, record)
    await replay(stage.broker, live_store, stage.group, [letter])
    ours: list[str] = []
    others: list[str] = []
    async with running(
        handling(stage, live_store, stage.group, ours),
        handling(stage, live_store, f"{stage.group}.other", others),
    ):
        await eventually(lambda: ours == ["poison"], within=30)
        await stage.send(solved(1, event_id="control"))
        await eventually(lambda: "control" in others and "control" in ours, within=30)
    assert ours == ["poison", "control"]
    assert others == [
        "poison",
        "control",
    ]  # the original; the replay would have been a duplicate of its id anyway
    published = await read_all(stage.broker.settings.bootstrap_servers, stage.topic, range(stage.partitions))
    again = [each for each in published if ("ce_reprocess", stage.group.encode()) in each.headers]
    assert [(each.key, each.value) for each in again] == [(record.key, record.value)]
    assert list(again[0].headers)[:-1] == list(record.headers)
    assert await listed(stage, live_store) == []
    assert [each.handled for each in await listed(stage, live_store, LetterFilter(handled=True))] == [
        "replayed"
    ]


async def test_bytes_that_are_no_text_come_back_as_they_were(stage: Stage, live_store: Store) -> None:
    (letter,) = await buried(stage, live_store, GARBAGE)
    back = original(letter, stage.group)
    assert (back.topic, back.key, back.value) == (stage.topic, GARBAGE.key, GARBAGE.value)
    assert back.headers == [*GARBAGE.headers, ("ce_reprocess", stage.group.encode())]
    assert _details(letter, personal=False)["headers"][:3] == ["x: \\xfe", "null (null)", "empty: "]


async def test_a_letter_that_was_cut_is_replayed_from_its_origin(stage: Stage, live_store: Store) -> None:
    record = record_of(solved(666, event_id="large"))
    (letter,) = await buried(stage, live_store, record)
    stored = letter.record
    cut = replace(
        letter, record=replace(stored, value=b"{", headers=(*stored.headers, ("dl_cut", b"9999999")))
    )
    await replay(stage.broker, live_store, stage.group, [cut])
    published = await read_all(stage.broker.settings.bootstrap_servers, stage.topic, range(stage.partitions))
    (again,) = [each for each in published if ("ce_reprocess", stage.group.encode()) in each.headers]
    assert again.value == record.value
    gone = tuple((name, b"9" if name == "dl_offset" else value) for name, value in cut.record.headers)
    lost = replace(cut, record=replace(cut.record, headers=gone))
    with pytest.raises(Permanent, match="is not kept any more: drop it"):
        await replay(stage.broker, live_store, stage.group, [lost])


async def test_what_was_dropped_is_shown_no_more_and_a_new_letter_at_its_place_is(
    stage: Stage, live_store: Store
) -> None:
    first, second = await buried(stage, live_store, record_of(solved(666)), GARBAGE)
    await drop(live_store, [first])
    assert [letter.id for letter in await listed(stage, live_store)] == [second.id]
    # The topic was made anew: another record stands where the second one stood when it was dropped.
    other = replace(second, record=replace(second.record, value=b"another"))
    await drop(live_store, [other])
    assert [letter.id for letter in await listed(stage, live_store)] == [second.id]


async def test_a_topic_that_is_not_there_holds_no_letters_and_is_not_made(
    stage: Stage, live_store: Store
) -> None:
    group = f"{stage.group}.nobody"
    assert [letter async for letter in letters(stage.broker, live_store, group, LetterFilter())] == []
    assert f"{group}.dead-letter" not in await stage.broker.partitions()
