"""After a lost answer: is the issue, or the note, there? (docs/vendors/gitlab.md#after-a-lost-answer)"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from csat.feedback.issue_content import answer_shown
from supportops.vendors.gitlab import GitLab, Issue

SKEW = timedelta(minutes=10)  # GitLab's clock against ours
INDEXED = timedelta(days=1)
"""Search knows what is older than this; only what is younger has to be looked for in the list."""


@dataclass(frozen=True)
class Found:
    """Our issue, and the number of the answer in its description."""

    issue: Issue
    answer_number: int


async def find_issue(gitlab: GitLab, marker: str, *, since: datetime, now: datetime) -> Found | None:
    """The issue with this marker: by search, which may lag, then among the newest made at or after `since`."""
    for issue in await gitlab.search(marker):
        if (found := _ours(issue, marker)) is not None:
            return found
    async for issue in gitlab.newest(max(since, now - INDEXED) - SKEW, marker):
        if (found := _ours(issue, marker)) is not None:
            return found
    return None


async def is_noted(gitlab: GitLab, iid: str, marker: str, answer_number: int) -> bool:
    """Whether the issue has our note on this answer."""
    async for note in gitlab.notes(iid, marker):
        if answer_shown(note.body, marker) == answer_number:
            return True
    return False


def _ours(issue: Issue, marker: str) -> Found | None:
    number = answer_shown(issue.description or "", marker)
    return None if number is None else Found(issue, number)
