"""Hostile comments through the real client: nothing happens in GitLab. The same as they are: it does."""

from collections.abc import AsyncIterator

import httpx
import pytest

from csat.feedback.issue_content import Subject, Writer
from csat.policy.feedback import FeedbackPolicy
from csat.ratings.answer import Answer
from sandbox.clients import tls
from supportops.vendors.gitlab import GitLab
from tests.integration.csat.feedback_app import QUIET, impatient_gitlab
from tests.integration.csat.sandbox import Outside
from tests.support.hostile import COMMENTS, TITLES, Hostile

EFFECTS = ("quick_action", "mention", "reference", "image", "html", "tasks")
WRITER = Writer(FeedbackPolicy(project="4"), "https://acme.zendesk.com")
SHORT = [each for each in COMMENTS if each.sets_off and len(each.text) < 50_000]


@pytest.fixture
async def gitlab(sandbox_url: str, outside: Outside) -> AsyncIterator[GitLab]:
    await outside.post("/limits", gitlab=QUIET)
    async with impatient_gitlab(sandbox_url) as client:
        yield client


async def _effects(outside: Outside) -> list[str]:
    return [entry["kind"] for kind in EFFECTS for entry in await outside.calls(f"gitlab.{kind}")]


@pytest.mark.parametrize("hostile", COMMENTS, ids=lambda hostile: hostile.name)
async def test_quoted_by_us_nothing_happens(gitlab: GitLab, outside: Outside, hostile: Hostile) -> None:
    subject = Subject("12", "r", Answer("bad", hostile.text), 1, hostile.text, "", "")
    draft = WRITER.draft(subject)
    issue = await gitlab.create(draft)
    await gitlab.note(str(issue.iid), WRITER.note(subject, with_comment=True))
    assert await _effects(outside) == []
    [kept] = (await outside.get("/gitlab/issues"))["issues"]
    assert (kept["description"], kept["title"], kept["state"]) == (draft.description, draft.title, "opened")
    assert (kept["confidential"], sorted(kept["labels"])) == (True, sorted(draft.labels))


@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
async def test_titles_are_quiet_too(gitlab: GitLab, outside: Outside, title: str) -> None:
    await gitlab.create(WRITER.draft(Subject("12", "r", Answer("bad"), 1, title, "", "")))
    assert await _effects(outside) == []


@pytest.mark.parametrize("hostile", SHORT, ids=lambda hostile: hostile.name)
@pytest.mark.parametrize("place", ["description", "note"])
async def test_as_they_are_they_do_what_they_say(
    sandbox_url: str, outside: Outside, hostile: Hostile, place: str
) -> None:
    headers = {"PRIVATE-TOKEN": "glpat-sandbox"}
    async with httpx.AsyncClient(
        base_url=f"{sandbox_url}/gitlab/api/v4/projects/4", headers=headers, verify=tls()
    ) as raw:
        description = hostile.text if place == "description" else "fine"
        made = await raw.post("/issues", json={"title": "raw", "description": description})
        if place == "note":
            await raw.post(f"/issues/{made.json()['iid']}/notes", json={"body": hostile.text})
    assert hostile.sets_off.removeprefix("gitlab.") in {
        each.partition(".")[2] for each in await _effects(outside)
    }
