"""Every reason not to ask, against the stand-in: what happened between the solve and the due moment is seen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csat import tables
from csat.destinations import NATIVE_RATING, SURVEY
from csat.surveys.exclusion_rules import lot_of
from csat.surveys.repository import solve_key
from supportops.contracts import SurveySkipped
from supportops.store import Store
from supportops.vendors.zendesk import Ticket, User, Zendesk
from tests.integration.csat.app import NOW, Csat, working
from tests.integration.csat.assertions import deliveries, on, promised, rows_of
from tests.integration.csat.events import merged, solved
from tests.integration.csat.sandbox import Outside

RITA, GIL, GITLAB = 8447388090601, 8447388090603, 8447346622464
MONTH = timedelta(days=30)


@pytest.fixture
async def csat(live_store: Store, zendesk: Zendesk) -> AsyncIterator[Csat]:
    async with working(live_store, zendesk) as running_csat:
        yield running_csat


SINCE_THE_SOLVE: list[tuple[str, dict[str, Any], str]] = [
    ("reopen", {}, "reopened"),
    ("close", {}, "closed"),
    ("delete", {}, "deleted"),
    ("delete", {"permanently": True}, "deleted"),
    ("actions", {"organization_id": GITLAB}, "excluded_organization"),
    ("rating", {"score": "good"}, "satisfaction_offered"),
    ("rating", {"score": "offered"}, "satisfaction_offered"),
    ("tags", {"tags": {"add": ["pending_old"]}}, "excluded_tag"),
    ("tags", {"tags": {"add": ["close_by_merge"]}}, "merged"),
]


async def test_what_happened_since_the_solve(csat: Csat, outside: Outside) -> None:
    happened, heard = {}, []
    for what, values, rule in SINCE_THE_SOLVE:
        ticket_id, at = await outside.solved_ticket()
        await outside.act(ticket_id, what, **values)
        happened[ticket_id] = at, rule
        heard.append(solved(ticket_id, at))
    await csat.hear(*heard)
    await csat.settled()
    skipped = {
        event.ticket_id: event for event in await promised(csat.store) if isinstance(event, SurveySkipped)
    }
    numbers = {row.ticket_id: row for row in await rows_of(csat.store, tables.ticket_facts)}
    surveys = await deliveries(csat.store, SURVEY)
    assert len(await promised(csat.store)) == len(skipped) == len(happened)
    for ticket_id, (at, rule) in happened.items():
        decision, event = await csat.decision_about(ticket_id), skipped[ticket_id]
        assert (decision.send, decision.rule) == (False, rule)
        assert (event.rule, event.solved_at, bool(event.reason)) == (rule, at, True)
        # What the reading told counts at once, whether or not its own event ever comes.
        assert (numbers[ticket_id].solved_at is None) is (rule == "reopened"), rule
        assert f"{rule}: {event.reason}" in surveys[solve_key(ticket_id, at)].outcome
    offered = [rule for _, rule in happened.values() if rule == "satisfaction_offered"]
    assert len(await deliveries(csat.store, NATIVE_RATING)) == len(offered) == 2
    assert await outside.calls("zendesk.comment") == []  # nobody was asked, no ticket tagged
    assert [
        call for call in await outside.calls("zendesk.tags") if call["tags"] == ["csat_survey_sent"]
    ] == []


@on("sqlite")
async def test_mail_to_the_list_is_not_surveyed(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket(recipient="mail-list@gitlab.com")
    await csat.hear(solved(ticket_id, at))
    await csat.settled()
    assert await csat.decisions() == [(False, "excluded_recipient")]


@on("sqlite")
async def test_without_an_organization_the_requesters_own_counts(csat: Csat, outside: Outside) -> None:
    """C7 is about members. Whoever is in no organization at all is asked."""
    member, at = await outside.solved_ticket(requester_id=GIL)
    await outside.act(member, "actions", organization_id=None)
    stranger, then = await outside.solved_ticket(requester={"name": "Nora", "email": "nora@home.example"})
    await csat.hear(solved(member, at), solved(stranger, then))
    await csat.settled()
    assert sorted(await csat.decisions()) == [(False, "excluded_organization"), (True, "send")]
    assert len(await outside.surveys(stranger)) == 1


async def test_merged_by_the_words_of_an_event_alone(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await csat.hear(solved(ticket_id, at), merged(ticket_id, at + timedelta(seconds=1)))
    await csat.settled()
    assert await csat.decisions() == [(False, "merged")]


async def follow_up(outside: Outside) -> str:
    """A follow-up of a ticket that was merged: it inherits its parent's tags, solved since."""
    parent, _ = await outside.solved_ticket(tags=["vip"])
    target, _ = await outside.solved_ticket()
    await outside.act(parent, "merge", into=target)
    made = await outside.post("/zendesk/tickets", subject="Again", via_followup_source_id=int(parent))
    assert "close_by_merge" in made["ticket"]["tags"]
    return str(made["ticket"]["id"])


async def test_a_follow_up_with_an_inherited_tag_is_asked(csat: Csat, outside: Outside) -> None:
    ticket_id = await follow_up(outside)
    await csat.hear(solved(ticket_id, await outside.solve(ticket_id)))
    await csat.settled()
    assert await csat.decisions() == [(True, "send")]
    assert len(await outside.surveys(ticket_id)) == 1


@pytest.mark.parametrize("told", ["audit", "event"])
async def test_a_follow_ups_own_merge_counts(csat: Csat, outside: Outside, told: str) -> None:
    ticket_id = await follow_up(outside)
    at = await outside.solve(ticket_id)
    if told == "audit":  # taken away and put back: this one is not inherited
        await outside.act(ticket_id, "tags", tags={"remove": ["close_by_merge"]})
        await outside.act(ticket_id, "tags", tags={"add": ["close_by_merge"]})
    else:
        await csat.hear(merged(ticket_id, at))
    await csat.hear(solved(ticket_id, at))
    await csat.settled()
    assert await csat.decisions() == [(False, "merged")]


class Watched:
    """A Zendesk that tells which calls were made, tells people by themselves, and waits before it does."""

    def __init__(self, zendesk: Zendesk, before_users: Callable[[], Awaitable[Any]] | None = None) -> None:
        self._zendesk, self._before_users = zendesk, before_users
        self.audited: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zendesk, name)

    async def ticket(self, ticket_id: str) -> Ticket | None:
        found = await self._zendesk.ticket(ticket_id)
        return found and found.model_copy(update={"requester": None})

    async def audits(self, ticket_id: str) -> Any:
        self.audited.append(ticket_id)
        return await self._zendesk.audits(ticket_id)

    async def users(self, user_ids: Iterable[str]) -> dict[str, User]:
        if self._before_users is not None:
            await self._before_users()
        return await self._zendesk.users(user_ids)


@on("sqlite")
async def test_audits_are_read_only_where_a_tag_leaves_it_open(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    watched = Watched(zendesk)
    async with working(live_store, watched) as csat:
        plain, at = await outside.solved_ticket()
        tagged, then = await outside.solved_ticket(tags=["close_by_merge"])
        inherited = await follow_up(outside)
        late = await outside.solve(inherited)
        await csat.hear(solved(plain, at), solved(tagged, then), solved(inherited, late))
        await csat.settled()
    assert watched.audited == [inherited]


@on("sqlite")
async def test_who_opted_out_is_not_asked(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket(requester_id=RITA)
    async with csat.store.transaction() as tx:
        requesters = await tx.load(tables.requesters, [str(RITA)])
        requesters.put(str(RITA), opted_out_at=tx.now, changed_at=tx.now)
    await csat.hear(solved(ticket_id, at))
    await csat.settled()
    assert await csat.decisions() == [(False, "opted_out")]


@pytest.mark.both_databases
async def test_two_tickets_of_one_requester_due_at_once(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    """Both have passed every rule when they come to write: only one of them is asked about."""
    both = asyncio.Barrier(2)
    rules = NOW.model_copy(update={"once_per": MONTH})
    async with working(live_store, Watched(zendesk, both.wait), rules) as csat:
        one, at = await outside.solved_ticket(requester_id=RITA)
        other, then = await outside.solved_ticket(requester_id=RITA)
        await csat.hear(solved(one, at), solved(other, then))
        await csat.settled()
        assert sorted(await csat.decisions()) == [(False, "asked_recently"), (True, "send")]
        assert len(await outside.surveys(one) + await outside.surveys(other)) == 1
        [requester] = await rows_of(live_store, tables.requesters)
        assert (requester.requester_id, requester.asked_ticket_id in (one, other)) == (str(RITA), True)


async def test_once_per_requester_over_time(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    rules = NOW.model_copy(update={"once_per": MONTH})
    async with working(live_store, zendesk, rules) as csat:
        rules_seen = []
        for requester in (RITA, RITA, GIL):
            ticket_id, at = await outside.solved_ticket(requester_id=requester, organization="Acme Ltd")
            await csat.hear(solved(ticket_id, at))
            await csat.settled(SURVEY)
            rules_seen.append((await csat.decision_about(ticket_id)).rule)
        assert rules_seen == ["send", "asked_recently", "send"]
        async with live_store.transaction() as tx:
            long_ago = tx.now - timedelta(days=31)
            await tx.execute(tables.requesters.update().values(asked_at=long_ago))
        ticket_id, at = await outside.solved_ticket(requester_id=RITA, organization="Acme Ltd")
        await csat.hear(solved(ticket_id, at))
        await csat.settled(SURVEY)
        assert (await csat.decision_about(ticket_id)).rule == "send"


@on("sqlite")
async def test_a_survey_that_was_decided_against_does_not_count_as_asked(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    """Written down, and then the ticket was closed before the comment could be posted."""
    rules = NOW.model_copy(update={"once_per": MONTH})
    gone, at = await outside.solved_ticket(requester_id=RITA)
    dead = Csat(live_store, zendesk, rules)
    await dead.hear(solved(gone, at))
    await dead.intend_and_die()
    await outside.act(gone, "close")
    async with working(live_store, zendesk, rules) as csat:
        await csat.settled()
        ticket_id, then = await outside.solved_ticket(requester_id=RITA)
        await csat.hear(solved(ticket_id, then))
        await csat.settled()
        assert sorted(await csat.decisions()) == [(False, "closed"), (True, "send")]


@on("sqlite")
async def test_a_share_of_the_tickets_is_drawn(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    tickets = [await outside.solved_ticket() for _ in range(8)]
    lots = sorted(lot_of(solve_key(ticket_id, at)) for ticket_id, at in tickets)
    rules = NOW.model_copy(update={"sampling_share": lots[3]})  # three of the eight are below
    async with working(live_store, zendesk, rules) as csat:
        await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets))
        await csat.settled()
        assert sorted(await csat.decisions()) == [(False, "sampled_out")] * 5 + [(True, "send")] * 3


@on("sqlite")
async def test_what_is_overdue_for_too_long_is_recorded_and_not_sent(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    rules = NOW.model_copy(update={"too_late_after": timedelta(0)})
    async with working(live_store, zendesk, rules) as csat:
        ticket_id, at = await outside.solved_ticket()
        await csat.hear(solved(ticket_id, at - timedelta(seconds=1)))  # the same solve, told a little earlier
        await csat.settled()
        assert await csat.decisions() == [(False, "too_late")]
        assert "too late" in (await csat.decision_about(ticket_id)).reason
        assert await outside.surveys(ticket_id) == []


async def test_overdue_surveys_go_out_in_due_order_at_the_pace(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    """A worker comes back: what waited longest goes first; after a few at once it is one a second."""
    rules = NOW.model_copy(update={"surveys_per_minute": 60})
    tickets = [await outside.solved_ticket() for _ in range(10)]
    last = max(at for _, at in tickets)
    order = [tickets[3 * nth % 10][0] for nth in range(10)]
    csat = Csat(live_store, zendesk, rules)
    for nth, ticket_id in enumerate(order):  # due in another order than they were made
        await csat.hear(solved(ticket_id, last - timedelta(seconds=3, milliseconds=-12 * nth)))
    begun = datetime.now(UTC)
    async with working(live_store, zendesk, rules) as back:
        await back.settled()
    asked = [str(entry["ticket_id"]) for entry in await outside.calls("zendesk.comment")]
    rows = await deliveries(live_store, SURVEY)
    finished = sorted(row.finished_at for row in rows.values())
    assert sorted(asked[:6]) == sorted(order[:6])  # these go at once, side by side
    assert asked[6:] == order[6:]
    assert finished[-1] - begun >= timedelta(seconds=3)  # a busy machine may be late with the first
