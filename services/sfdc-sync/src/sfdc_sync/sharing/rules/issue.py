"""An issue as it is handed over: what GitLab's API gives (JSON), or its description alone (Markdown)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sfdc_sync.sharing.rules.options import OPTIONS
from sfdc_sync.sharing.rules.template import MOST_PEOPLE, Draft, UnusableIssue, draft_of

_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,500}")
NO_GITLAB = "an issue is read from GitLab with GITLAB_BASE_URL and GITLAB_TOKEN: set both"
_PROJECT = r"(?P<project>[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}){0,20})"
_SHORT = re.compile(rf"{_PROJECT}#(?P<iid>[0-9]{{1,12}})", re.ASCII)
_ISSUE = re.compile(rf"{_PROJECT}/(?:-/)?(?:issues|work_items)/(?P<iid>[0-9]{{1,12}})/?(?:[?#].*)?", re.ASCII)


@dataclass(frozen=True)
class Issue:
    """What it asks for, who wrote it, and its address where the API tells it."""

    draft: Draft
    author: str
    address: str = ""


def read(raw: bytes, by: str = "") -> Issue:
    """The request in an issue; `by`: who asks, where nothing else says so. Raises UnusableIssue.

    The author of the JSON counts before `by`: nobody asks in another one's name.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UnusableIssue(["the file is not UTF-8 text"]) from None
    found = _json(text)
    if found is None:
        if not by.strip():
            raise UnusableIssue(["the file does not say who wrote the issue: give --by"])
        return Issue(draft_of(text), by)
    return of_api(found)


def of_api(found: Mapping[str, Any]) -> Issue:
    """The request in an issue as GitLab's API gives it. Raises UnusableIssue."""
    author = found.get("author")
    name = author.get("username") if isinstance(author, dict) else None
    description = found.get("description")
    if not isinstance(description, str) or not isinstance(name, str) or not name.strip():
        raise UnusableIssue(["the JSON is no issue of GitLab: it lacks description or author.username"])
    address = found.get("web_url")
    plain = isinstance(address, str) and _ADDRESS.fullmatch(address) is not None
    return Issue(draft_of(description), name, str(address) if plain else "")


@dataclass(frozen=True)
class Reference:
    """An issue by its project (path or number) and its number there."""

    project: str
    iid: str


def reference_of(text: str, base_url: str | None) -> Reference | None:
    """What an address, or `PROJECT#7`, names; None: neither. `base_url`: of the GitLab that may be asked.

    Our token goes to that GitLab alone, so an address anywhere else is refused. Raises UnusableIssue.
    """
    if found := _SHORT.fullmatch(text):
        return Reference(found["project"], found["iid"])
    if not _ADDRESS.fullmatch(text):
        return None
    if base_url is None:
        raise UnusableIssue([NO_GITLAB])
    below = text.removeprefix(f"{base_url.rstrip('/')}/")
    if below == text:
        raise UnusableIssue([f"the address is not one of {base_url} (GITLAB_BASE_URL)"])
    issue = _ISSUE.fullmatch(below)
    if issue is None:
        raise UnusableIssue(["the address is no issue's: it ends in PROJECT/-/issues/NUMBER"])
    return Reference(issue["project"], issue["iid"])


def _json(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UnusableIssue(["the file begins like JSON and cannot be read as such"]) from None
    return found if isinstance(found, dict) else None


def checked(draft: Draft) -> Draft:
    """A draft of the command line or a form. Raises UnusableIssue with every mistake."""
    mistakes = [
        f"the {name} is named by its number in Zendesk, such as 4112492"
        for name, value in (("organization", draft.organization_id), ("ticket", draft.ticket_id))
        if not _ID.fullmatch(value)
    ]
    if OPTIONS[draft.option].selects != bool(draft.selected):
        needs = "needs" if not draft.selected else "concerns everybody and takes no"
        mistakes.append(f"option {draft.option} {needs} selected users")
    if len(draft.selected) > MOST_PEOPLE or any(len(each) > 254 for each in draft.selected):
        mistakes.append(f"at most {MOST_PEOPLE} selected users are taken, each an id or an e-mail address")
    if mistakes:
        raise UnusableIssue(mistakes)
    return draft
