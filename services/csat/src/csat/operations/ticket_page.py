"""A ticket's story on a page, for operators: what `csat explain` tells, with the customer's words."""

from csat.operations.timeline_text import explain_ticket
from supportops.operations.timeline import Explanation
from supportops.web.site import Link
from supportops.web.story_page import Story

_ABOUT = "Who was asked when, and why not; every call with its answer; the votes; the issue."


def _issue(told: Explanation) -> Link | None:
    """The issue's address, as GitLab gave it; nothing but https or http becomes a link."""
    url = (told.document["issue"] or {}).get("web_url")
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return Link("Its issue in GitLab", url)
    return None


STORY = Story(explain_ticket, _ABOUT, words=True, link=_issue)
