"""Feedback that is not exported, exported by others, or refused: said aloud, and nothing doubled.

See docs/vendors/gitlab.md#issues-and-notes.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from csat.destinations import FEEDBACK
from csat.feedback.export import BY_OTHERS, OFF
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.assertions import deliveries, on
from tests.integration.csat.feedback_app import QUIET, Feedback, exporting, impatient_gitlab
from tests.integration.csat.sandbox import Outside
from tests.support.eventually import eventually

TAG = "feedback_exported"


@pytest.fixture
async def feedback(
    live_store: Store, zendesk: Zendesk, outside: Outside, sandbox_url: str
) -> AsyncIterator[Feedback]:
    await outside.post("/limits", gitlab=QUIET)
    async with impatient_gitlab(sandbox_url) as gitlab:
        yield Feedback(live_store, zendesk, gitlab, outside)


async def test_a_ticket_that_somebody_else_exported(feedback: Feedback) -> None:
    ticket_id, _ = await feedback.outside.solved_ticket(tags=[TAG])
    await feedback.rate(ticket_id, "bad", "slow")
    async with exporting(feedback):
        await feedback.settled()
        await feedback.rate(ticket_id, "bad", "slow indeed")
        await feedback.settled()
    assert await feedback.issues() == []
    [row] = await feedback.recorded()
    assert (row.skipped, row.iid) == (BY_OTHERS, None)
    assert all(BY_OTHERS in outcome for outcome in await feedback.outcomes())


async def _follow_up(outside: Outside) -> str:
    parent, _ = await outside.solved_ticket(tags=[TAG])
    await outside.act(parent, "close")
    ticket_id, _ = await outside.solved_ticket(subject="Again", via_followup_source_id=int(parent))
    assert TAG in await outside.tags(ticket_id)
    return ticket_id


async def test_a_follow_up_inherits_the_tag_and_is_exported(feedback: Feedback) -> None:
    ticket_id = await _follow_up(feedback.outside)
    await feedback.rate(ticket_id, "bad", "again")
    async with exporting(feedback):
        await feedback.settled()
    assert [issue["title"] for issue in await feedback.issues()] == ["Again"]
    [row] = await feedback.recorded()
    assert row.tagged_at is not None


async def test_a_follow_up_that_was_itself_exported_by_somebody_else(feedback: Feedback) -> None:
    ticket_id = await _follow_up(feedback.outside)
    await feedback.outside.act(ticket_id, "tags", tags={"remove": [TAG]})
    await feedback.outside.act(ticket_id, "tags", tags={"add": [TAG]})
    await feedback.rate(ticket_id, "bad", "again")
    async with exporting(feedback):
        await feedback.settled()
    assert await feedback.issues() == []


async def test_labels_lost_in_silence_are_told_aloud(feedback: Feedback) -> None:
    await feedback.outside.post("/limits", gitlab={"admin_issue": False})
    ticket_id, _ = await feedback.outside.solved_ticket()
    await feedback.rate(ticket_id, "bad", "slow")
    with capture_logs() as lines:
        async with exporting(feedback):
            await feedback.settled()
    assert len(await feedback.issues()) == 1
    assert await feedback.outside.tags(ticket_id) == [TAG]
    [line] = [line for line in lines if line["event"] == "feedback.incomplete"]
    assert line["log_level"] == "error"
    assert "satisfaction::Bad" in line["lost_labels"]
    assert feedback.metrics.value("feedback_issues", outcome="incomplete") == 1


async def test_off(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    feedback = Feedback(live_store, zendesk, None, outside)
    ticket_id, _ = await outside.solved_ticket()
    await feedback.rate(ticket_id, "bad", "slow")
    async with exporting(feedback):
        await feedback.settled()
    assert OFF in (await feedback.outcomes())[0]
    assert await outside.tags(ticket_id) == []


async def test_a_ticket_that_is_gone_is_feedback_all_the_same(feedback: Feedback) -> None:
    ticket_id, _ = await feedback.outside.solved_ticket()
    await feedback.rate(ticket_id, "bad", "slow")
    await feedback.outside.act(ticket_id, "delete", permanently=True)
    async with exporting(feedback):
        await feedback.settled()
    assert [issue["title"] for issue in await feedback.issues()] == [f"CSAT feedback for ticket {ticket_id}"]


async def test_a_ticket_that_was_closed_keeps_its_tags(feedback: Feedback) -> None:
    ticket_id, _ = await feedback.outside.solved_ticket()
    await feedback.outside.act(ticket_id, "close")
    await feedback.rate(ticket_id, "bad", "slow")
    async with exporting(feedback):
        await feedback.settled()
    assert len(await feedback.issues()) == 1
    [row] = await feedback.recorded()
    assert row.tagged_at is None


REFUSALS = [
    ({"kind": "error", "status": 401, "code": "401 Unauthorized"}),
    ({"kind": "error", "status": 403, "code": "403 Forbidden"}),
]


@on("postgres")
@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: str(fault["status"]))
async def test_a_token_that_may_not_pauses_everything_and_says_so(
    feedback: Feedback, fault: dict[str, Any]
) -> None:
    await feedback.outside.fault(service="gitlab", path="*", **fault, count=1)
    for _ in range(3):
        ticket_id, _at = await feedback.outside.solved_ticket()
        await feedback.rate(ticket_id, "bad", "slow")
    with capture_logs() as lines:
        async with exporting(feedback):
            await eventually(partial(_one_waits, feedback), within=10, about="a pause")
    assert [line["status"] for line in lines if line["event"] == "gitlab.refused"] == [fault["status"]]
    rows = (await deliveries(feedback.store, FEEDBACK)).values()
    assert all(row.state != "dead" for row in rows)


async def _one_waits(feedback: Feedback) -> bool:
    rows = (await deliveries(feedback.store, FEEDBACK)).values()
    assert [row for row in rows if row.outcome and "gitlab" in row.outcome and row.state == "waiting"]
    return True


FINAL = {
    404: "404 Project Not Found",
    400: "Spam detected",
    409: "Conflict",
    422: "Unprocessable",
    301: "Moved",
}


@on("postgres")
async def test_final_answers_are_kept_with_their_words(feedback: Feedback) -> None:
    tickets = []
    for status, code in FINAL.items():
        ticket_id, _ = await feedback.outside.solved_ticket()
        tickets.append(ticket_id)
        await feedback.rate(ticket_id, "bad", "slow")
        await feedback.outside.fault(service="gitlab", path="*", kind="error", status=status, code=code)
    async with exporting(feedback):
        await feedback.settled("dead")
    outcomes = await feedback.outcomes()
    for code in FINAL.values():
        assert len([outcome for outcome in outcomes if code in outcome]) == 1, code
    assert [await feedback.outside.tags(ticket_id) for ticket_id in tickets] == [[]] * len(FINAL)
