"""What nobody waits for stands behind notices that are due, for a minute at most."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from notifier.breaches.repository import CAN_WAIT
from notifier.breaches.update import BreachTags, BreachUpdates
from notifier.destinations import BREACH_NOTICES, BREACH_TAGS, BREACH_UPDATES
from notifier.policy.breaches import BreachPolicy
from supportops.clock import ManualClock
from supportops.delivery import Cancel, DestinationSpec, Outcome, Snooze
from supportops.store import Store
from tests.support.engine import MONDAY, ByHand, store_on

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TAG = {"ticket_id": "7", "tag": "told"}
EDIT = {"ticket_id": "7", "target": "7:m:1"}
ASIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "a tag": (BREACH_TAGS, TAG),
    "an edit that can wait": (BREACH_UPDATES, EDIT | {CAN_WAIT: True}),
}
AT_ONCE = {"an edit for whoever pressed a button": (BREACH_UPDATES, EDIT)}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
async def sqlite(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), clock) as store:
        yield store


async def gone(_ticket_id: str) -> None:
    """Zendesk knows no such ticket."""


async def outcome(
    store: Store, name: str, payload: dict[str, Any], notice_due: datetime, age: timedelta
) -> Outcome:
    """What becomes of a delivery of that age beside a notice."""
    hand = ByHand(store, DestinationSpec(name))
    async with store.transaction() as tx:
        tx.deliveries.schedule(BREACH_NOTICES, "n", lane="C1", payload={}, due_at=notice_due)
    await hand.schedule("aside", payload=payload)
    clock: Any = store.clock
    clock.advance(age)
    context: Any = SimpleNamespace(store=store, rules=BreachPolicy(), zendesk=SimpleNamespace(ticket=gone))
    destination = BreachTags(context) if name == BREACH_TAGS else BreachUpdates(context)
    (found,) = await destination.deliver([await hand.take()])
    return found


@pytest.mark.parametrize(("name", "payload"), ASIDE.values(), ids=ASIDE)
async def test_what_can_wait_stands_behind_notices_that_are_due(
    sqlite: Store, name: str, payload: dict[str, Any]
) -> None:
    assert isinstance(await outcome(sqlite, name, payload, MONDAY, SECOND), Snooze)


@pytest.mark.parametrize(("name", "payload"), ASIDE.values(), ids=ASIDE)
@pytest.mark.parametrize(
    ("due", "age"),
    [(MONDAY, MINUTE), (MONDAY + MINUTE, SECOND)],
    ids=["for a minute", "not behind later ones"],
)
async def test_but_no_longer_than_it_must(
    sqlite: Store, name: str, payload: dict[str, Any], due: datetime, age: timedelta
) -> None:
    assert isinstance(await outcome(sqlite, name, payload, due, age), Cancel)


@pytest.mark.parametrize(("name", "payload"), AT_ONCE.values(), ids=AT_ONCE)
async def test_what_somebody_waits_for_does_not(sqlite: Store, name: str, payload: dict[str, Any]) -> None:
    assert isinstance(await outcome(sqlite, name, payload, MONDAY, SECOND), Cancel)
