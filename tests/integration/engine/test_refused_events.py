"""Events that the broker will never take are listed beside the dead letters, and leave the list when they are sent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from supportops.contracts import TicketSolved
from supportops.observability.metrics import Metrics
from supportops.operations.dead_letters import Letter, LetterFilter, drop, refused_events, replay, with_value
from supportops.store import Store
from supportops.store.outbox import publish_again
from supportops.store.tables import ENGINE
from supportops.workers import Relay
from tests.support.engine import running, solved
from tests.support.eventually import eventually
from tests.support.records import FakePublisher


@pytest.fixture
async def refusing(live_store: Store) -> AsyncIterator[FakePublisher]:
    """A broker that has refused the solves of ticket 1, and took those of ticket 2."""
    broker = FakePublisher(too_large=lambda record: record.key == b"1")
    async with running(Relay(broker, live_store, Metrics())):
        async with live_store.transaction() as tx:
            for ticket in (1, 2):
                tx.publish(solved(ticket, event_id=f"event-{ticket}"))
        await eventually(lambda: refused_events(live_store, LetterFilter(), 10))
        yield broker


async def test_a_refused_event_is_listed_with_what_it_is(live_store: Store, refusing: FakePublisher) -> None:
    (letter,) = await refused_events(live_store, LetterFilter(), 10)
    assert letter.id.startswith("outbox:")
    assert (letter.stage, letter.subject, letter.event_id) == ("publish", "1", "event-1")
    assert letter.event_type == TicketSolved.type
    assert "MessageSizeTooLarge" in letter.reason
    assert letter.bytes > 100
    assert refusing.ids == ["event-2"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LetterFilter(subject="1", reason="TooLarge", event_type=TicketSolved.type), 1),
        (LetterFilter(subject="2"), 0),
        (LetterFilter(reason="a bug of ours"), 0),
        (LetterFilter(ids=("0:17",)), 0),
    ],
)
async def test_it_is_narrowed_like_a_dead_letter(
    live_store: Store, refusing: FakePublisher, wanted: LetterFilter, found: int
) -> None:
    assert refusing.rounds
    assert len(await refused_events(live_store, wanted, 10)) == found
    later = LetterFilter(since=live_store.clock.now() + timedelta(minutes=1))
    assert await refused_events(live_store, later, 10) == []


async def test_once_it_is_given_to_the_relay_again_it_is_listed_no_more(
    live_store: Store, refusing: FakePublisher
) -> None:
    refusing.too_large = lambda _record: False
    async with live_store.transaction() as tx:
        assert await publish_again(tx.conn, ENGINE.outbox, tx.now) == 1
    assert await refused_events(live_store, LetterFilter(), 10) == []
    await eventually(lambda: sorted(refusing.ids) == ["event-1", "event-2"])


async def test_one_of_them_is_given_to_the_relay_again(live_store: Store, refusing: FakePublisher) -> None:
    (letter,) = await refused_events(live_store, LetterFilter(), 10)
    broker: Any = refusing  # which is not asked: the relay does it
    await replay(broker, live_store, "", [letter])
    assert await refused_events(live_store, LetterFilter(), 10) == []
    assert await left_of(live_store, letter) == [None]


async def test_one_of_them_is_shown_whole_and_dropped(live_store: Store, refusing: FakePublisher) -> None:
    (letter,) = await refused_events(live_store, LetterFilter(), 10)
    assert b'"ticket_id":"1"' in ((await with_value(live_store, letter)).record.value or b"")
    await drop(live_store, [letter])
    assert await refused_events(live_store, LetterFilter(handled=True), 10) == []
    assert refusing.ids == ["event-2"]
    assert await left_of(live_store, letter) == []


async def left_of(store: Store, letter: Letter) -> list[str | None]:
    """Why the letter's row is set aside; nothing where there is no row."""
    o = ENGINE.outbox
    row = select(o.c.refused).where(o.c.id == letter.id.removeprefix("outbox:"))
    async with store.reading() as conn:
        return list((await conn.execute(row)).scalars())
