"""Zendesk's own ratings count like ours: hints in, the truth by REST, the latest answer of a ticket once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from csat import tables
from csat.destinations import FEEDBACK, NATIVE_RATING
from csat.policy.csat import CsatPolicy
from csat.policy.native_ratings import NativeRatingsPolicy
from csat.ratings.answer import Answer
from csat.ratings.repository import NewRating, record_answer
from supportops.contracts import FeedbackReceived
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.app import Readers, reading
from tests.integration.csat.assertions import deliveries, on, promised, rows_of
from tests.integration.csat.events import rated, solved
from tests.integration.csat.sandbox import Outside
from tests.support.eventually import eventually

HOUR = timedelta(hours=1)
SURVEYS = CsatPolicy(native_ratings=NativeRatingsPolicy(kind="surveys"))


@pytest.fixture
async def csat(live_store: Store, zendesk: Zendesk) -> AsyncIterator[Readers]:
    async with reading(live_store, zendesk) as readers:
        yield readers


async def rate(outside: Outside, ticket_id: str, **values: object) -> None:
    await outside.act(ticket_id, "rating", **values)


async def hosted(store: Store, ticket_id: str, score: Answer, at: datetime) -> None:
    async with store.transaction() as tx:
        await record_answer(tx, ticket_id, NewRating(score, "hosted", "5", at))


@pytest.mark.both_databases
async def test_a_rating_is_taken_and_told_once(csat: Readers, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await csat.hear(solved(ticket_id, at))
    await rate(outside, ticket_id, score="bad", comment=" Too slow\x00 ", reason="The issue was NOT resolved")
    await csat.hear(rated(ticket_id, "first", score="BAD"))
    await csat.hear(rated(ticket_id, "same-again", score="bad"))
    await csat.settled()
    row = await csat.rating(ticket_id)
    assert (row.source, row.score, row.comment) == ("native", "bad", "Too slow")
    assert (row.reason, row.requester_id, row.revision) == (
        "My issue was not resolved",
        "8447388090601",
        1,
    )
    told = [event for event in await promised(csat.store) if isinstance(event, FeedbackReceived)]
    assert [(event.source_kind, event.correlation_id) for event in told] == [("native", "rated-first")]
    assert len(await deliveries(csat.store, FEEDBACK)) == 1
    facts = await csat.facts(ticket_id)
    assert (facts.score, facts.decided, facts.solved_at, facts.has_comment) == ("bad", True, at, True)
    assert facts.asked_at is not None


async def test_a_change_of_mind_counts_and_is_told(csat: Readers, outside: Outside) -> None:
    ticket_id, _ = await outside.solved_ticket()
    await rate(outside, ticket_id, score="bad", comment="No!")
    await csat.hear(rated(ticket_id, "first"))
    await csat.settled()
    await rate(outside, ticket_id, score="good")
    await csat.hear(rated(ticket_id, "second"))
    await csat.settled()
    row = await csat.rating(ticket_id)
    assert (row.score, row.comment, row.reason, row.revision) == ("good", None, None, 2)
    assert len(await rows_of(csat.store, tables.answers)) == 2


async def test_the_latest_answer_counts_whoever_brought_it(csat: Readers, outside: Outside) -> None:
    tickets = {}
    for when, counts in ((-HOUR, ("native", "bad")), (HOUR, ("hosted", "good"))):
        ticket_id, _ = await outside.solved_ticket()
        tickets[ticket_id] = counts
        await hosted(csat.store, ticket_id, Answer("good"), datetime.now(UTC) + when)
        await rate(outside, ticket_id, score="bad")
    await csat.hear(*(rated(ticket_id, f"native-{ticket_id}") for ticket_id in tickets))
    await csat.settled()
    for ticket_id, counts in tickets.items():
        row = await csat.rating(ticket_id)
        assert (row.source, row.score) == counts


async def test_hosted_after_native_and_the_old_hint_again(csat: Readers, outside: Outside) -> None:
    ticket_id, _ = await outside.solved_ticket()
    await rate(outside, ticket_id, score="bad")
    await csat.hear(rated(ticket_id, "native"))
    await csat.settled()
    await hosted(csat.store, ticket_id, Answer("good"), datetime.now(UTC) + HOUR)
    await csat.hear(rated(ticket_id, "replayed"))
    await csat.settled()
    row = await csat.rating(ticket_id)
    assert (row.source, row.score, row.revision) == ("hosted", "good", 2)


async def test_an_offer_counts_as_asked_and_is_no_answer(csat: Readers, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await csat.hear(solved(ticket_id, at))
    await rate(outside, ticket_id, score="offered")
    hint = rated(ticket_id, "offered")
    await csat.hear(hint)
    await csat.settled()
    facts = await csat.facts(ticket_id)
    assert (facts.asked_at, facts.decided, facts.score) == (hint.time, True, None)
    assert await rows_of(csat.store, tables.ratings) == []


async def test_a_hint_that_comes_before_the_rating_is_visible(csat: Readers, outside: Outside) -> None:
    ticket_id, _ = await outside.solved_ticket()
    await csat.hear(rated(ticket_id, "early", score="good"))

    async def looked_in_vain() -> bool:
        [row] = (await deliveries(csat.store, NATIVE_RATING)).values()
        return bool(row.attempts >= 1 and row.state == "waiting")

    assert await eventually(looked_in_vain)
    await rate(outside, ticket_id, score="good", comment="Thanks")
    await csat.settled()
    assert (await csat.rating(ticket_id)).comment == "Thanks"


async def test_what_is_gone_is_moot_and_keeps_nobody(csat: Readers, outside: Outside) -> None:
    gone, _ = await outside.solved_ticket()
    there, _ = await outside.solved_ticket()
    await outside.act(gone, "delete")
    await rate(outside, there, score="good")
    await csat.hear(rated(gone, "gone"), rated(there, "there"))
    rows = await csat.settled()
    assert b'"kind":"moot"' in rows["rated-gone"].outcome.encode()
    assert (await csat.rating(there)).score == "good"


@on("sqlite")
async def test_bad_days_end(csat: Readers, outside: Outside) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": "429", "retry_after": 1},
        {"kind": "error", "status": 503},
        {"kind": "drop"},
    ]
    tickets = [(await outside.solved_ticket())[0] for _ in faults]
    for ticket_id in tickets:
        await rate(outside, ticket_id, score="good")
    for fault in faults:  # each is met by another reading
        await outside.fault(path="/satisfaction_ratings/", **fault)
    await csat.hear(*(rated(ticket_id, f"hint-{ticket_id}") for ticket_id in tickets))
    await csat.settled()
    assert (await outside.get("/faults"))["faults"] == []
    assert [(await csat.rating(ticket_id)).score for ticket_id in tickets] == ["good"] * 3


@on("sqlite")
async def test_survey_answers_on_the_scale(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    scale = {1: "bad", 3: "bad", 4: "good", 5: "good"}
    tickets = {number: await outside.solved_ticket() for number in scale}
    async with reading(live_store, zendesk, SURVEYS) as csat:
        await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets.values()))
        for ticket_id, _ in tickets.values():
            await outside.act(ticket_id, "survey")
        await csat.hear(*(rated(ticket_id, f"offered-{ticket_id}") for ticket_id, _ in tickets.values()))
        await csat.settled()
        for number, (ticket_id, _) in tickets.items():
            facts = await csat.facts(ticket_id)
            assert (facts.asked_at is not None, facts.score) == (True, None)
            await outside.act(ticket_id, "survey", rating=number, comment="So so", reason="Something new")
        await csat.hear(*(rated(ticket_id, f"answered-{ticket_id}") for ticket_id, _ in tickets.values()))
        await csat.settled()
        for number, score in scale.items():
            row = await csat.rating(tickets[number][0])
            assert (row.score, row.comment) == (score, "So so"), number
            assert row.reason == ("Some other reason" if score == "bad" else None), number


async def test_a_survey_answer_changes(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    ticket_id, _ = await outside.solved_ticket()
    await outside.post("/zendesk/surveys", listed=False)  # found through the ticket's audits
    async with reading(live_store, zendesk, SURVEYS) as csat:
        for number in (2, 5):
            await outside.act(ticket_id, "survey", rating=number)
            await csat.hear(rated(ticket_id, f"answered-{number}"))
            await csat.settled()
        row = await csat.rating(ticket_id)
    assert (row.score, row.revision) == ("good", 2)
