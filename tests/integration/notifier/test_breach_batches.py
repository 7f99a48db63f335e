"""Notices of several channels that are due together: read together, decided and posted each for itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from notifier import tables
from notifier.breaches.post import BreachNotices
from notifier.destinations import BREACH_NOTICES
from notifier.slack.client import Posted
from notifier.slack.message import Json, Message
from notifier.slack.sender import Sender
from supportops.delivery import Cancel, Delivery, Destination, Discard, Done
from supportops.delivery.claims import claim
from supportops.errors import Retryable
from tests.integration.notifier.breaches import CHANNEL, BreachService, new_ticket, policy, rule, soon, target
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import Outside
from tests.support.eventually import eventually
from tests.support.statements import counted

LOST, ARCHIVED = "C0LOST", "C0ARCHIVED"
PLACES = {"posted": CHANNEL, "refused": ARCHIVED, "withdrawn": CHANNEL + "-2", "lost": LOST}


class LosesOne(Sender):
    """Slack, which one channel cannot reach."""

    async def post(self, channel: str, message: Message, metadata: Json) -> Posted:
        if channel == LOST:
            raise Retryable("no connection")
        return await super().post(channel, message, metadata)


def but_for_notices(service: BreachService) -> Sequence[Destination]:
    return [each for each in BreachService.destinations(service) if each.spec.name != BREACH_NOTICES]


async def due_together(
    service: BreachService, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A planned notice in each of the places, due and not posted yet: names of places by ticket."""
    tickets = {
        name: new_ticket(outside, target(soon(minutes=30)), tags=[name], subject=name) for name in PLACES
    }
    monkeypatch.setattr(service, "destinations", lambda: but_for_notices(service))
    async with service.delivering():
        await service.hears(*(created(each, datetime.now(UTC)) for each in tickets.values()))

        async def armed() -> bool:
            return len(await service.rows()) == len(PLACES)

        await eventually(armed, within=10)
    return {str(each["id"]): name for name, each in tickets.items()}


@pytest.mark.both_databases
async def test_what_happens_to_one_is_its_own_and_all_are_read_at_once(
    open_breaches: OpenBreaches, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [rule(name=name, channel=at, tags={"any": [name]}) for name, at in PLACES.items()]
    service = await open_breaches(policy(*rules, posts_per_minute=None))
    outside.make_channel(ARCHIVED, archived=True)
    names = await due_together(service, outside, monkeypatch)
    withdrawn = next(ticket for ticket, name in names.items() if name == "withdrawn")
    n = tables.breach_notices
    async with service.store.transaction() as tx:
        await tx.execute(
            update(n).where(n.c.ticket_id == withdrawn).values(state="cancelled", reason="it was called off")
        )
    notices = BreachNotices(service.context, LosesOne(service.context.slack, service.store))
    due: Sequence[Delivery] = (await claim(service.store, notices.spec, notices.spec.batch)).deliveries
    with counted(service.store) as texts:
        outcomes = await notices.deliver(due)
    found: dict[str, Any] = {
        names[each.payload["ticket_id"]]: outcome for each, outcome in zip(due, outcomes, strict=True)
    }
    assert {name: type(outcome) for name, outcome in found.items()} == {
        "posted": Done,
        "refused": Discard,
        "withdrawn": Cancel,
        "lost": Retryable,
    }
    assert found["withdrawn"].reason == "it is cancelled: it was called off"
    assert [post["payload"]["ticket_id"] for post in outside.posts(CHANNEL)] == [
        int(ticket) for ticket, name in names.items() if name == "posted"
    ]
    assert len([text for text in texts if "FROM breach_" in text]) == 3
