"""Hostile comments through the real client: nothing happens in GitLab. The same as they are: it does."""

from collections import defaultdict
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
from tests.support.hostile import COMMENTS, TITLES

EFFECTS = {f"gitlab.{kind}" for kind in ("quick_action", "mention", "reference", "image", "html", "tasks")}
WRITER = Writer(FeedbackPolicy(project="4"), "https://acme.zendesk.com")
SHORT = [each for each in COMMENTS if each.sets_off and len(each.text) < 50_000]


@pytest.fixture
async def gitlab(sandbox_url: str, outside: Outside) -> AsyncIterator[GitLab]:
    await outside.post("/limits", gitlab=QUIET)
    async with impatient_gitlab(sandbox_url) as client:
        yield client


async def _effects(outside: Outside) -> dict[int, set[str]]:
    """What GitLab did beside keeping texts, by the number of the issue whose text made it."""
    found = defaultdict[int, set[str]](set)
    for entry in await outside.calls("gitlab"):
        if entry["kind"] in EFFECTS:
            found[int(entry["iid"])].add(entry["kind"])
    return dict(found)


async def test_quoted_by_us_nothing_happens(gitlab: GitLab, outside: Outside) -> None:
    drafts = {}
    for hostile in COMMENTS:
        subject = Subject("12", "r", Answer("bad", hostile.text), 1, hostile.text, "", "")
        issue = await gitlab.create(WRITER.draft(subject))
        drafts[issue.iid] = hostile.name, WRITER.draft(subject)
        await gitlab.note(str(issue.iid), WRITER.note(subject, with_comment=True))
    assert {drafts[iid][0]: effects for iid, effects in (await _effects(outside)).items()} == {}
    shown = {int(issue["iid"]): issue for issue in (await outside.get("/gitlab/issues"))["issues"]}
    assert shown.keys() == drafts.keys()
    for iid, (name, draft) in drafts.items():
        kept = shown[iid]
        assert kept["description"] == draft.description, name
        assert (kept["title"], kept["state"], kept["confidential"]) == (draft.title, "opened", True), name
        assert sorted(kept["labels"]) == sorted(draft.labels), name


async def test_titles_are_quiet_too(gitlab: GitLab, outside: Outside) -> None:
    made = {}
    for title in TITLES:
        issue = await gitlab.create(WRITER.draft(Subject("12", "r", Answer("bad"), 1, title, "", "")))
        made[issue.iid] = title
    assert {made[iid]: effects for iid, effects in (await _effects(outside)).items()} == {}


@pytest.mark.parametrize("place", ["description", "note"])
async def test_as_they_are_they_do_what_they_say(sandbox_url: str, outside: Outside, place: str) -> None:
    headers, made = {"PRIVATE-TOKEN": "glpat-sandbox"}, {}
    async with httpx.AsyncClient(
        base_url=f"{sandbox_url}/gitlab/api/v4/projects/4", headers=headers, verify=tls()
    ) as raw:
        for hostile in SHORT:
            description = hostile.text if place == "description" else "fine"
            reply = await raw.post("/issues", json={"title": "raw", "description": description})
            made[hostile] = int(reply.json()["iid"])
            if place == "note":
                await raw.post(f"/issues/{made[hostile]}/notes", json={"body": hostile.text})
    effects = await _effects(outside)
    assert [each.name for each, iid in made.items() if each.sets_off not in effects.get(iid, ())] == []
