"""What a silence holds of notices, driven by hand on one database: alerts and integrity runs come as one at its end."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from notifier.breaches.repository import look_at_held
from notifier.destinations import POSTS, SLA_READINGS
from notifier.notices.held import SilencedByName
from notifier.notices.messages import IntegrityNotes
from notifier.notices.payloads import INTEGRITY
from notifier.posting.alerts import ALERT, AlertSource
from notifier.posting.burst import release
from notifier.posting.prepared import MessageSource, Note, Prepared, schedule_note
from notifier.posting.silences import BELIEVED, Silence, Silences, add, end
from notifier.tables import breach_notices
from supportops.clock import ManualClock
from supportops.delivery import DestinationSpec, Done
from supportops.store import Store
from tests.support.engine import MONDAY, ByHand, rows_of, store_on

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
HOUR = timedelta(hours=1)


def report(name: str, **figures: int) -> dict[str, Any]:
    return {"name": name, "severity": "error", "new": 0, "fixed": 0, "open": 0} | figures


NOTES: dict[str, list[dict[str, Any]]] = {
    ALERT: [{"words": "csat stands", "remedy": "start it"}, {"words": "Slack refuses", "remedy": "invite"}],
    INTEGRITY: [
        {"checked_at": "1", "reports": [report("a", new=2, open=2), report("b", fixed=1)]},
        {"checked_at": "2", "reports": [report("a", new=1, fixed=3)]},
    ],
}
SOURCES: dict[str, MessageSource] = {ALERT: AlertSource(), INTEGRITY: IntegrityNotes()}
WORDS = {
    ALERT: [":rotating_light: 2 things need an operator"],
    INTEGRITY: ["Salesforce and Zendesk: 3 new, 4 fixed, 0 open"],
}


class Channel:
    """The posts of one channel, made and taken by hand."""

    def __init__(self, store: Store, clock: ManualClock, kind: str) -> None:
        self.store, self.clock, self.kind = store, clock, kind
        self.source = SilencedByName(SOURCES[kind], Silences(store))
        self.hand = ByHand(store, DestinationSpec(POSTS))

    async def told(self, number: int) -> None:
        """A notice of that kind comes up."""
        async with self.store.transaction() as tx:
            note = Note(self.kind, self.kind, data=NOTES[self.kind][number])
            schedule_note(tx, note, channel="C1", key=f"C1:{self.kind}:{number}")

    async def silence(self, value: str, about: Any = "rule") -> None:
        async with self.store.transaction() as tx:
            await add(tx, Silence("s1", about, value, "upgrade", "ada", tx.now, tx.now + HOUR))

    async def posted(self) -> list[str]:
        """What is posted of what is due now."""
        said = []
        while due := await self.hand.claim():
            for delivery in due:
                made = await self.source.prepare(delivery)
                if isinstance(made, Prepared):
                    said.append(made.message.text)
                await self.hand.complete((delivery, Done() if isinstance(made, Prepared) else made))
        return said


@pytest.fixture
async def channel(request: pytest.FixtureRequest, sqlite: Store, clock: ManualClock) -> Channel:
    return Channel(sqlite, clock, request.param)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
async def sqlite(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), clock) as store:
        yield store


@pytest.mark.parametrize("channel", [ALERT, INTEGRITY], indirect=True)
async def test_what_a_silence_holds_of_a_kind_comes_as_one_at_its_end(channel: Channel) -> None:
    await channel.silence(channel.kind)
    for number in range(2):
        await channel.told(number)
        assert await channel.posted() == []
    channel.clock.advance(HOUR)
    assert await channel.posted() == WORDS[channel.kind]
    assert await channel.posted() == []


@pytest.mark.parametrize("channel", [ALERT, INTEGRITY], indirect=True)
@pytest.mark.parametrize(("about", "value"), [("rule", "rating"), ("ticket", "7"), ("organization", "7")])
async def test_a_silence_of_something_else_holds_nothing(channel: Channel, about: str, value: str) -> None:
    await channel.silence(value, about)
    await channel.told(0)
    assert len(await channel.posted()) == 1


@pytest.mark.parametrize("channel", [ALERT], indirect=True)
async def test_ended_early_it_lets_go_at_once(channel: Channel) -> None:
    await channel.silence(ALERT)
    await channel.told(0)
    assert await channel.posted() == []
    async with channel.store.transaction() as tx:
        assert await release(tx, "s1") == 1
        assert await end(tx, "s1")
    channel.clock.advance(2 * BELIEVED)
    assert await channel.posted() == [":rotating_light: csat stands"]
    channel.clock.advance(HOUR)
    assert await channel.posted() == []


async def test_the_tickets_of_held_breach_notices_are_read_when_a_silence_ends_early(sqlite: Store) -> None:
    row: dict[str, Any] = {
        "metric": "first_reply_time",
        "step": "2h",
        "rule": "premium",
        "rules_version": "1",
    }
    row |= {"breach_at": MONDAY, "due_at": MONDAY, "armed_at": MONDAY, "changed_at": MONDAY}
    states = {"1:a": "held", "1:b": "held", "2:a": "posted", "3:a": "planned"}
    async with sqlite.transaction() as tx:
        for key, state in states.items():
            values = row | {"key": key, "target": key, "ticket_id": key[0], "state": state, "round": 0}
            await tx.execute(breach_notices.insert(), values)
        assert await look_at_held(tx, "unsilenced:s1") == 1
    assert [(row["destination"], row["key"]) for row in (await rows_of(sqlite)).values()] == [
        (SLA_READINGS, "1:unsilenced:s1")
    ]
