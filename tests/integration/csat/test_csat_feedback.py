"""One issue per ticket with feedback, whatever GitLab answers: changed with the answer, tagged once it exists (C11)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from csat.destinations import FEEDBACK_TAG
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.assertions import deliveries, on
from tests.integration.csat.feedback_app import QUIET, Feedback, exporting, impatient_gitlab
from tests.integration.csat.sandbox import Outside

TIMELY = "The answer wasn't delivered in a timely manner"
HOSTILE = "Too late.\r/close\n@all see #1\n```\n/label ~urgent"
ISSUES = "*/issues"


@pytest.fixture
async def feedback(
    live_store: Store, zendesk: Zendesk, outside: Outside, sandbox_url: str
) -> AsyncIterator[Feedback]:
    """The export at rest: its courier is started by the test."""
    await outside.post("/limits", gitlab=QUIET)
    async with impatient_gitlab(sandbox_url) as gitlab:
        yield Feedback(live_store, zendesk, gitlab, outside)


async def _rated_bad(feedback: Feedback, **ticket: Any) -> str:
    ticket_id, _ = await feedback.outside.solved_ticket(
        requester={"email": "rita@groablet.example"}, **ticket
    )
    await feedback.rate(ticket_id, "bad", HOSTILE, TIMELY)
    return ticket_id


@pytest.mark.both_databases
async def test_a_bad_rating_becomes_one_issue_and_then_a_tag(feedback: Feedback) -> None:
    ticket_id = await _rated_bad(feedback, subject="@all Printer #1", tags=["vip"])
    async with exporting(feedback):
        await feedback.settled()
    [issue] = await feedback.issues()
    assert issue["labels"] == [
        "satisfaction::Bad",
        "form::Self-managed",
        "subscription::Customer",
        "feedback::process",
        f"reason::{TIMELY}",
    ]
    assert (issue["confidential"], issue["state"]) == (True, "opened")
    assert issue["title"] == "@\u200ball Printer #\u200b1"
    assert f"https://acme.zendesk.com/agent/tickets/{ticket_id}" in issue["description"]
    assert issue["happened"] == [
        {"kind": "gitlab.mention", "name": "tam", "where": "description", "user": True}
    ]
    assert sorted(await feedback.outside.tags(ticket_id)) == ["feedback_exported", "vip"]
    [row] = await feedback.recorded()
    assert (row.ticket_id, row.iid, row.revision) == (ticket_id, str(issue["iid"]), 1)
    assert row.web_url.endswith(f"/issues/{issue['iid']}")
    assert row.tagged_at is not None


async def test_what_becomes_an_issue(feedback: Feedback) -> None:
    answers = [("good", None, False), ("good", "Thanks!", True), ("bad", None, True)]
    made = {}
    for score, comment, becomes in answers:
        ticket_id, _ = await feedback.outside.solved_ticket()
        made[ticket_id] = becomes
        for _ in range(2):
            await feedback.rate(ticket_id, score, comment)
    async with exporting(feedback):
        await feedback.settled()
    assert sorted(row.ticket_id for row in await feedback.recorded()) == sorted(t for t in made if made[t])
    assert len(await feedback.issues()) == 2
    for ticket_id, becomes in made.items():
        assert ("feedback_exported" in await feedback.outside.tags(ticket_id)) is becomes, ticket_id


BAD_DAYS: list[dict[str, Any]] = [
    {"kind": "drop_after_commit", "method": "POST"},
    {"kind": "502", "after_commit": True, "method": "POST"},
    {"kind": "hang", "after_commit": True, "delay": 3, "method": "POST"},
    {"kind": "drop", "method": "POST"},
    {"kind": "500", "method": "POST"},
    {"kind": "429", "retry_after": 1, "method": "POST"},
    {"kind": "error", "status": 409, "code": "Resource lock", "method": "POST"},
]


async def _all_used_up(outside: Outside) -> bool:
    return not (await outside.get("/faults"))["faults"]


@pytest.mark.parametrize("lag", [0, 3600])
async def test_lost_answers_make_no_second_issue(feedback: Feedback, lag: int) -> None:
    """One fault for each ticket: a call meets the first that no other call has met."""
    tickets = [await _rated_bad(feedback) for _ in BAD_DAYS]
    await feedback.outside.post("/limits", gitlab={"search_lag": lag})
    for fault in BAD_DAYS:
        await feedback.outside.fault(service="gitlab", path=ISSUES, **fault)
    async with exporting(feedback):
        await feedback.settled()
    assert await _all_used_up(feedback.outside)
    told = [issue["description"] for issue in await feedback.issues()]
    for ticket_id in tickets:
        assert len([words for words in told if f"/agent/tickets/{ticket_id}" in words]) == 1, ticket_id
        assert await feedback.outside.tags(ticket_id) == ["feedback_exported"], ticket_id


@pytest.mark.parametrize("lag", [0, 3600])
async def test_a_worker_killed_after_the_call(feedback: Feedback, lag: int) -> None:
    ticket_id = await _rated_bad(feedback)
    await feedback.outside.post("/limits", gitlab={"search_lag": lag})
    await feedback.export_and_die()
    assert "feedback_exported" not in await feedback.outside.tags(ticket_id)
    async with exporting(feedback):
        await feedback.settled()
    assert len(await feedback.issues()) == 1
    assert len(await feedback.recorded()) == 1
    assert await feedback.outside.tags(ticket_id) == ["feedback_exported"]


async def test_bad_good_bad_changes_the_one_issue(feedback: Feedback) -> None:
    ticket_id = await _rated_bad(feedback)
    async with exporting(feedback):
        await feedback.settled()
        await feedback.rate(ticket_id, "good", "/reopen Sorry, it works. @all")
        await feedback.settled()
        [issue] = await feedback.issues()
        assert issue["labels"] == ["form::Self-managed", "subscription::Customer", "satisfaction::Good"]
        await feedback.rate(ticket_id, "bad", "/reopen Sorry, it works. @all", "GitLab doesn't meet my needs")
        await feedback.settled()
    [issue] = await feedback.issues()
    assert issue["labels"][2:] == [
        "satisfaction::Bad",
        "feedback::product-issue",
        "reason::GitLab doesn't meet my needs",
    ]
    first, second = [note["body"] for note in issue["notes"]]
    assert "> /reopen Sorry" in first
    assert "now **Good**" in first
    assert "Sorry" not in second
    assert "now **Bad**" in second
    mentioned = [each["name"] for each in issue["happened"]]
    assert mentioned == ["tam", "tam", "ada"]
    [row] = await feedback.recorded()
    assert row.revision == 3
    assert len(await deliveries(feedback.store, FEEDBACK_TAG)) == 1


async def test_a_comment_that_comes_later(feedback: Feedback) -> None:
    ticket_id, _ = await feedback.outside.solved_ticket()
    await feedback.rate(ticket_id, "good")
    async with exporting(feedback):
        await feedback.settled()
        assert await feedback.issues() == []
        await feedback.rate(ticket_id, "good", "And friendly!")
        await feedback.settled()
        await feedback.rate(ticket_id, "good", "And friendly! And quick!")
        await feedback.settled()
    [issue] = await feedback.issues()
    assert "> And friendly!" in issue["description"]
    [note] = issue["notes"]
    assert "> And friendly! And quick!" in note["body"]


async def test_only_the_latest_answer_is_exported(feedback: Feedback) -> None:
    ticket_id = await _rated_bad(feedback)
    await feedback.rate(ticket_id, "good", "It works now")
    async with exporting(feedback):
        await feedback.settled()
    [issue] = await feedback.issues()
    assert "satisfaction::Good" in issue["labels"]
    assert issue["notes"] == []
    assert "answer 2 counts by now" in (await feedback.outcomes())[0]


async def test_lost_answers_make_no_second_note(feedback: Feedback) -> None:
    faults = {await _rated_bad(feedback): fault for fault in BAD_DAYS}
    async with exporting(feedback):
        await feedback.settled()
        for row in await feedback.recorded():
            notes = f"*/issues/{row.iid}/notes"
            await feedback.outside.fault(service="gitlab", path=notes, **faults[row.ticket_id])
        for ticket_id in faults:
            await feedback.rate(ticket_id, "bad", "Still not", TIMELY)
        await feedback.settled()
    assert await _all_used_up(feedback.outside)
    assert [len(issue["notes"]) for issue in await feedback.issues()] == [1] * len(faults)


async def test_lost_answers_about_labels(feedback: Feedback) -> None:
    tickets = [await _rated_bad(feedback) for _ in range(2)]
    async with exporting(feedback):
        await feedback.settled()
        for kind in ("drop_after_commit", "502"):
            await feedback.outside.fault(service="gitlab", path="*/issues/*", method="PUT", kind=kind)
        for ticket_id in tickets:
            await feedback.rate(ticket_id, "good", "It works")
        await feedback.settled()
    assert await _all_used_up(feedback.outside)
    for issue in await feedback.issues():
        assert "satisfaction::Good" in issue["labels"]
        assert "satisfaction::Bad" not in issue["labels"]
        assert len(issue["notes"]) == 1


async def test_a_worker_killed_after_its_note(feedback: Feedback) -> None:
    ticket_id = await _rated_bad(feedback)
    async with exporting(feedback):
        await feedback.settled()
    await feedback.rate(ticket_id, "bad", "Still not", TIMELY)
    await feedback.export_and_die()
    async with exporting(feedback):
        await feedback.settled()
    [issue] = await feedback.issues()
    assert len(issue["notes"]) == 1
    [row] = await feedback.recorded()
    assert row.revision == 2


@pytest.mark.parametrize("lag", [0, 3600])
async def test_a_change_of_mind_while_the_first_answer_was_lost(feedback: Feedback, lag: int) -> None:
    ticket_id = await _rated_bad(feedback)
    await feedback.outside.post("/limits", gitlab={"search_lag": lag})
    await feedback.export_and_die()
    await feedback.rate(ticket_id, "good", None)
    async with exporting(feedback):
        await feedback.settled()
    [issue] = await feedback.issues()
    assert "satisfaction::Good" in issue["labels"]
    assert "satisfaction::Bad" not in issue["labels"]
    assert len(issue["notes"]) == 1
    assert await feedback.outside.tags(ticket_id) == ["feedback_exported"]


@on("postgres")
async def test_a_limit_pauses_all_and_costs_no_attempt(feedback: Feedback) -> None:
    await _rated_bad(feedback)
    await feedback.outside.fault(service="gitlab", path=ISSUES, kind="429", retry_after=1, count=3)
    async with exporting(feedback):
        [row] = (await feedback.settled()).values()
    assert row.attempts == 1
    assert len(await feedback.issues()) == 1
