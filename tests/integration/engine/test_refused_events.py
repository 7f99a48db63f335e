"""Events that the broker will never take are listed beside the dead letters, and leave the list when they are sent."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from supportops.contracts import TicketSolved
from supportops.observability.metrics import Metrics
from supportops.operations.dead_letters import LetterFilter, refused_events
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
