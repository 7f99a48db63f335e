"""`notifier explain TICKET` says why a message is not in a channel, whichever of the gates it met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.feeds.decisions import keep_rules
from notifier.operations.explain import explain_ticket
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.silences import Silence, add
from supportops.contracts import TicketEvent
from tests.integration.notifier.app import Service
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, created, said, solved
from tests.integration.notifier.sandbox import Outside

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
Ticket = dict[str, Any]
Happens = Callable[[Outside, Ticket, datetime], list[TicketEvent]]
FEED = {"name": "a", "channel": "C0MANAGERS"}
MARKED = FEED | {"private_comments": True}
NOW, HOURS = datetime.now(UTC), timedelta(hours=2)
QUIET = {"starts": f"{NOW - HOURS:%H:%M}", "ends": f"{NOW + HOURS:%H:%M}", "time_zone": "UTC"}


def opened(_: Outside, ticket: Ticket, now: datetime) -> list[TicketEvent]:
    return [created(ticket, now)]


def noted(outside: Outside, ticket: Ticket, now: datetime) -> list[TicketEvent]:
    number = outside.comment(str(ticket["id"]), "Between us.", public=False)
    return [commented(ticket, said(number, is_public=False), now)]


def gone(outside: Outside, ticket: Ticket, now: datetime) -> list[TicketEvent]:
    outside.delete(str(ticket["id"]))
    return [created(ticket, now)]


def many(outside: Outside, ticket: Ticket, now: datetime) -> list[TicketEvent]:
    others = [outside.create(form="Self-Managed") for _ in range(2)]
    return [created(each, now) for each in (ticket, *others)]


def settled(_: Outside, ticket: Ticket, now: datetime) -> list[TicketEvent]:
    return [solved(ticket, now, sequence="7")]


@dataclass(frozen=True)
class Case:
    """A message that feed `a` does not show, and how that is told."""

    told: str
    feeds: tuple[Mapping[str, Any], ...] = (FEED,)
    happens: Happens = opened
    rules: Mapping[str, Any] = field(default_factory=dict)
    silence: str = ""
    form: str = "Self-Managed"


CASES = {
    "kind": Case("not a: kinds: it was created", (FEED | {"kinds": ["solved"]},)),
    "kind of a change": Case(
        "not b: kinds: it was solved",
        (FEED | {"kinds": ["solved"]}, FEED | {"name": "b"}),
        settled,
        {"fold_window": "100ms"},
    ),
    "form": Case(
        "not a: forms: the ticket has 'Self-Managed'", (FEED | {"forms": {"include": ["GitLab.com"]}},)
    ),
    "tags": Case("not a: tags: the ticket has no tags", (FEED | {"tags": {"any": ["vip"]}},)),
    "plan": Case("not a: plans: the ticket has 'ultimate'", (FEED | {"plans": {"include": ["Gold"]}},)),
    "organization": Case(
        "not a: organizations: the ticket has 'Groablet Enterprises'",
        (FEED | {"organizations": {"include": ["X"]}},),
    ),
    "who acted": Case("not a: actors: it was done by person", (FEED | {"actors": ["bot"]},)),
    "secret form": Case("not a: never_forms: the ticket's form is 'Security Issue'", form="Security Issue"),
    "private": Case("not a: private_comments: the comment is private", happens=noted),
    "first": Case(
        "not a: an earlier feed took it (match: first)",
        (FEED | {"name": "b", "channel": "C0B"}, FEED),
        rules={"match": "first"},
    ),
    "audience": Case("for a: not posted | confidential, and the channel is public", (MARKED,), noted),
    "silenced ticket": Case("for a: held back | silenced until now (upgrade)", silence="ticket"),
    "silenced rule": Case("for a: held back | silenced until now (upgrade)", silence="rule"),
    "quiet": Case("for a: held back | what came in quiet hours", (FEED | {"quiet_hours": QUIET},)),
    "burst": Case(
        "for a: in a summary | ",
        happens=many,
        rules={"channel_pace": "30s", "burst_window": "2m", "never_forms": []},
    ),
    "gone": Case(
        "for a: not posted | the ticket or its comments are gone", happens=gone, rules={"never_forms": []}
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_whatever_keeps_a_message_from_a_channel_is_told(
    open_service: OpenService, outside: Outside, case: Case
) -> None:
    service = await open_service(NotifierPolicy.model_validate({"feeds": case.feeds} | dict(case.rules)))
    outside.make_channel("C0MANAGERS")
    ticket = outside.create(form=case.form)
    number = str(ticket["id"])
    async with service.store.transaction() as tx:
        await keep_rules(tx, service.context.policy)
        if case.silence:
            value = {"ticket": number, "rule": "a"}[case.silence]
            until = tx.now + timedelta(hours=1)
            await add(tx, Silence("s1", case.silence, value, "upgrade", "ada", tx.now, until))  # type: ignore[arg-type]
    async with service.delivering():
        await service.hears(*case.happens(outside, ticket, datetime.now(UTC)))
        if await service.deliveries():
            await service.settled(ahead=True)
    assert case.told in await told(service, number)


async def told(service: Service, ticket_id: str) -> str:
    """All lines of the ticket's story."""
    async with service.store.reading() as conn:
        story = await explain_ticket(conn, ticket_id, service.store.clock.now(), False)
    return "\n".join(f"{line.what} | {line.detail}" for line in story.lines)
