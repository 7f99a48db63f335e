"""Asking by the tag alone (`ask_by: native`), and changing the way in the middle: nobody is asked twice."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from csat import tables
from csat.destinations import SURVEY, SURVEY_TAG
from supportops.contracts import SurveySent
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.app import NATIVE, NOW, Csat, working
from tests.integration.csat.assertions import deliveries, on, promised, rows_of
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside

TAG = "csat_survey_sent"


@pytest.fixture
async def csat(live_store: Store, zendesk: Zendesk) -> AsyncIterator[Csat]:
    async with working(live_store, zendesk, NATIVE) as running_csat:
        yield running_csat


async def writes(outside: Outside) -> list[tuple[str, list[str]]]:
    """What was done to tags, in order."""
    return [(entry["how"], entry["tags"]) for entry in await outside.calls("zendesk.tags")]


async def test_the_tag_is_the_asking(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket(tags=["vip"])
    await csat.hear(solved(ticket_id, at))
    await csat.settled(SURVEY)
    assert await outside.surveys(ticket_id) == []
    assert sorted(await outside.tags(ticket_id)) == [TAG, "vip"]
    assert await writes(outside) == [("add", [TAG])]
    assert await deliveries(csat.store, SURVEY_TAG) == {}
    [survey] = await rows_of(csat.store, tables.surveys)
    assert (survey.mode, survey.sent_at is not None, survey.tagged_at) == ("native", True, survey.sent_at)
    assert [type(event) for event in await promised(csat.store)] == [SurveySent]
    assert await csat.decisions() == [(True, "send")]


@on("sqlite")
async def test_a_tag_of_its_own_beside_the_one_for_people(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    rules = NATIVE.model_copy(update={"native_tag": "ask_now"})
    async with working(live_store, zendesk, rules) as csat:
        ticket_id, at = await outside.solved_ticket()
        await csat.hear(solved(ticket_id, at))
        await csat.settled(SURVEY)
    assert sorted(await outside.tags(ticket_id)) == ["ask_now", TAG]
    assert await writes(outside) == [("add", ["ask_now", TAG])]


async def test_an_inherited_tag_is_taken_away_first(csat: Csat, outside: Outside) -> None:
    """A follow-up has its parent's tag from birth: Zendesk's automation waits for one that is added."""
    parent, _ = await outside.solved_ticket(tags=[TAG, "vip"])
    await outside.act(parent, "close")
    made = await outside.post("/zendesk/tickets", subject="Again", via_followup_source_id=int(parent))
    ticket_id = str(made["ticket"]["id"])
    await csat.hear(solved(ticket_id, await outside.solve(ticket_id)))
    await csat.settled(SURVEY)
    assert await writes(outside) == [("remove", [TAG]), ("add", [TAG])]
    assert sorted(await outside.tags(ticket_id)) == [TAG, "vip"]
    assert await csat.decisions() == [(True, "send")]


BAD_DAYS: list[dict[str, Any]] = [
    {"kind": "drop_after_commit"},
    {"kind": "drop"},
    {"kind": "error", "status": 503},
]


@on("postgres")
async def test_lost_answers_repeat_nothing(csat: Csat, outside: Outside) -> None:
    """For a plain ticket and a follow-up, which has the tag from its parent, each."""
    parent, _ = await outside.solved_ticket(tags=[TAG])
    tickets = {}
    for fault in BAD_DAYS:
        for values in ({}, {"via_followup_source_id": int(parent)}):
            made = await outside.post("/zendesk/tickets", subject="Again", **values)
            ticket_id = str(made["ticket"]["id"])
            tickets[ticket_id] = solved(ticket_id, await outside.solve(ticket_id))
            await outside.fault(**fault, path=f"*/tickets/{ticket_id}/tags", method="PUT")
    await csat.hear(*tickets.values())
    await csat.settled(SURVEY)
    assert (await outside.get("/faults"))["faults"] == []
    calls = await outside.calls("zendesk.tags")
    for ticket_id in tickets:
        added = [call for call in calls if call["how"] == "add" and str(call["ticket_id"]) == ticket_id]
        assert len(added) == 1, ticket_id
    assert await csat.decisions() == [(True, "send")] * len(tickets)


async def test_a_tag_whose_sender_died_is_found(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk, NATIVE)
    await dead.hear(solved(ticket_id, at))
    await dead.post_and_die()
    async with working(live_store, zendesk, NATIVE) as csat:
        await csat.settled(SURVEY)
        assert await writes(outside) == [("add", [TAG])]
        assert await csat.decisions() == [(True, "send")]


async def solve_again(csat: Csat, ticket_id: str, at: datetime) -> None:
    """Reopened and solved once more, as events tell."""
    again = at + timedelta(seconds=2)
    await csat.hear(reopened(ticket_id, at + timedelta(seconds=1)), solved(ticket_id, again))


@pytest.mark.parametrize(("first", "then"), [(NOW, NATIVE), (NATIVE, NOW)], ids=["to native", "to hosted"])
async def test_who_was_asked_in_one_way_is_not_asked_in_the_other(
    live_store: Store, zendesk: Zendesk, outside: Outside, first: Any, then: Any
) -> None:
    ticket_id, at = await outside.solved_ticket()
    async with working(live_store, zendesk, first) as before:
        await before.hear(solved(ticket_id, at))
        await before.settled()
    tagged, asked = await writes(outside), await outside.surveys(ticket_id)
    async with working(live_store, zendesk, then) as after:
        await solve_again(after, ticket_id, at)
        await after.settled(SURVEY)
        assert sorted(await after.decisions()) == [(False, "already_surveyed"), (True, "send")]
    assert (await writes(outside), await outside.surveys(ticket_id)) == (tagged, asked)


@pytest.mark.parametrize(("first", "then"), [(NOW, NATIVE), (NATIVE, NOW)], ids=["to native", "to hosted"])
@pytest.mark.parametrize("died", ["before the call", "after it"])
async def test_a_change_of_the_way_while_a_survey_is_in_doubt(
    live_store: Store, zendesk: Zendesk, outside: Outside, first: Any, then: Any, died: str
) -> None:
    """The worker of the old way was killed: if it had asked, that is found; if not, the new way asks."""
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk, first)
    await dead.hear(solved(ticket_id, at))
    await (dead.intend_and_die() if died == "before the call" else dead.post_and_die())
    async with working(live_store, zendesk, then) as csat:
        await csat.settled()
        assert await csat.decisions() == [(True, "send")]
    [survey] = await rows_of(live_store, tables.surveys)
    hosted = (first if died == "after it" else then) is NOW
    assert survey.mode == ("hosted" if hosted else "native")
    assert len(await outside.surveys(ticket_id)) == hosted
    assert [how for how, _ in await writes(outside)] == ["add"]  # hosted: for people; native: the asking
    assert len(await rows_of(live_store, tables.superseded_surveys)) == (died == "before the call")
