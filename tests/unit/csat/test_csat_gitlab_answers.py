"""What GitLab's answers mean, as a table (docs/vendors/gitlab.md#answers)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from csat.feedback.issue_content import Draft
from supportops.clock import ManualClock
from supportops.errors import (
    Conflict,
    CredentialRefused,
    DestinationPaused,
    NotFound,
    Permanent,
    Retryable,
    SupportOpsError,
    UnknownOutcome,
)
from supportops.observability.metrics import Metrics
from supportops.vendors.gitlab import GitLab, open_gitlab, wait_of
from tests.support.for_each import for_each

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DRAFT = Draft("t", "d", ("a::b", "c d"), True)
HTML = "<html>Bad gateway</html>"
Answer = Callable[[httpx.Request], httpx.Response]


async def _create(answer: Answer) -> None:
    clock = ManualClock(NOW)
    async with open_gitlab(
        "https://gitlab.example.com",
        SecretStr("glpat-x"),
        "group/sub/project",
        clock=clock,
        metrics=Metrics(),
        transport=httpx.MockTransport(answer),
    ) as gitlab:
        await gitlab.create(DRAFT)


ANSWERS: list[tuple[int, object, type[SupportOpsError], str]] = [
    (400, {"message": {"title": ["is too long (maximum is 255 characters)"]}}, Permanent, "is too long"),
    (400, {"error": "title is missing"}, Permanent, "title is missing"),
    (400, {"message": ["a", "b"]}, Permanent, '["a","b"]'),
    (400, {"message": "Spam detected"}, Permanent, "Spam detected"),
    (401, {"message": "401 Unauthorized"}, CredentialRefused, "401 Unauthorized"),
    (403, {"message": "403 Forbidden"}, CredentialRefused, "403 Forbidden"),
    (403, HTML, CredentialRefused, "403"),
    (404, {"message": "404 Project Not Found"}, NotFound, "404 Project Not Found"),
    (409, {"message": "409 (Resource lock)"}, Conflict, "Resource lock"),
    (409, {"message": "Issue exists"}, Permanent, "Issue exists"),
    (412, {}, Permanent, "412"),
    (422, {"message": "no"}, Permanent, "422 no"),
    (429, "Retry later\n", DestinationPaused, "429"),
    (500, HTML, UnknownOutcome, "500"),
    (502, HTML, UnknownOutcome, "502"),
    (524, HTML, UnknownOutcome, "524"),
    (301, "", Permanent, "301"),
    (201, HTML, UnknownOutcome, "not JSON"),
    (201, {"odd": 1}, UnknownOutcome, "cannot read"),
    (201, [], UnknownOutcome, "cannot read"),
]


@for_each("status, body, error, words", ANSWERS)
async def test_answers(status: int, body: object, error: type[SupportOpsError], words: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(body, str):
            return httpx.Response(status, text=body, headers={"Location": "https://elsewhere.example"})
        return httpx.Response(status, json=body)

    with pytest.raises(error) as raised:
        await _create(answer)
    assert type(raised.value) is error
    assert words in str(raised.value)
    assert "glpat" not in str(raised.value)


async def test_a_connection_that_never_was_is_tried_again() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(Retryable) as raised:
        await _create(refuse)
    assert not isinstance(raised.value, UnknownOutcome)


async def test_what_a_creation_looks_like() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"project_id": 4, "iid": 14, "web_url": "https://g/-/issues/14"})

    await _create(answer)
    [request] = seen
    assert request.url.raw_path == b"/api/v4/projects/group%2Fsub%2Fproject/issues"
    assert request.headers["authorization"] == "Bearer glpat-x"
    assert request.read() == b'{"title":"t","description":"d","labels":"a::b,c d","confidential":true}'


WAITS = [
    ({"retry-after": "7"}, 7),
    ({"retry-after": "Sun, 01 Mar 2026 12:00:20 GMT"}, 20),
    ({"retry-after": "7", "ratelimit-reset": "1772366500"}, 7),
    ({"ratelimit-resettime": "Sun, 01 Mar 2026 12:01:30 GMT"}, 90),
    ({"ratelimit-resettime": "Sun, 01 Mar 2026 11:00:00 GMT"}, 60),
    ({"ratelimit-reset": str(int(NOW.timestamp()) + 42)}, 42),
    ({"ratelimit-reset": str(int(NOW.timestamp()) - 42)}, 60),
    ({"ratelimit-reset": "soon"}, 60),
    ({"ratelimit-resettime": "soon"}, 60),
    ({"retry-after": "0"}, 1),
    ({"retry-after": "99999"}, 900),
    ({}, 60),
]


@for_each("headers, seconds", WAITS)
def test_waits(headers: dict[str, str], seconds: int) -> None:
    assert wait_of(headers, NOW, jitter=0) == timedelta(seconds=seconds)
    assert wait_of(headers, NOW, jitter=0.99) <= timedelta(minutes=15)
    assert wait_of(headers, NOW, jitter=0.99) >= timedelta(seconds=seconds)


async def _issue_pages(pages: list[int]) -> list[int]:
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(int(request.url.params["page"]))
        size = pages[len(asked) - 1]
        return httpx.Response(200, json=[{"project_id": 4, "iid": n, "web_url": "x"} for n in range(size)])

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="https://g.example/api/v4") as client:
        gitlab = GitLab(client, "4", clock=ManualClock(NOW), metrics=Metrics())
        assert len([issue async for issue in gitlab.newest(NOW, "zdcsat1")]) == sum(pages)
    return asked


async def test_pages_are_read_until_one_is_not_full() -> None:
    assert await _issue_pages([100, 100, 3]) == [1, 2, 3]
    assert await _issue_pages([100] * 10) == list(range(1, 11))
    assert await _issue_pages([0]) == [1]


MARKER = "zdcsat1"
OURS = {"project_id": 4, "iid": 14, "web_url": "x", "description": MARKER}


async def _look(body: object, ask: Callable[[GitLab], Awaitable[list[Any]]]) -> list[Any]:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with httpx.AsyncClient(transport=transport, base_url="https://g.example/api/v4") as client:
        return await ask(GitLab(client, "4", clock=ManualClock(NOW), metrics=Metrics()))


async def _search(gitlab: GitLab) -> list[Any]:
    return await gitlab.search(MARKER)


async def _newest(gitlab: GitLab) -> list[Any]:
    return [each async for each in gitlab.newest(NOW, MARKER)]


async def _notes(gitlab: GitLab) -> list[Any]:
    return [each async for each in gitlab.notes("14", MARKER)]


@for_each("ask", [_search, _newest, _notes])
@for_each("body", [{}, 5, "x", {"message": "try later"}])
async def test_an_answer_without_its_list_does_not_say_that_nothing_is_there(
    body: object, ask: Callable[[GitLab], Awaitable[list[Any]]]
) -> None:
    """Else the issue, or the note, would be made a second time."""
    with pytest.raises(Retryable, match="without its list"):
        await _look(body, ask)


ODD: list[Any] = [None, 5, "x", [None], {"a": 1}, [{"name": "bug"}]]


@for_each("odd", ODD)
@for_each("ask", [_search, _newest])
async def test_what_is_odd_about_an_issue_hides_neither_it_nor_its_neighbours(
    odd: Any, ask: Callable[[GitLab], Awaitable[list[Any]]]
) -> None:
    fields = ("title", "labels", "confidential", "assignee", "state")
    rows = [odd, {"iid": odd}, *(OURS | {name: odd} for name in fields)]
    assert [each.iid for each in await _look(rows, ask)] == [14] * len(fields)


@pytest.mark.parametrize("ask", [_search, _newest])
async def test_what_we_look_for_and_cannot_read_is_not_gone(
    ask: Callable[[GitLab], Awaitable[list[Any]]],
) -> None:
    with pytest.raises(Retryable, match="cannot read"):
        await _look([OURS | {"iid": None}], ask)


async def test_an_odd_note_hides_no_other() -> None:
    found = await _look([{"id": 1, "body": None}, {"id": 2, "body": MARKER}, 5], _notes)
    assert [each.id for each in found] == [2]


@pytest.mark.parametrize("ask", [_search, _newest])
async def test_characters_that_no_store_holds_spoil_no_list(
    ask: Callable[[GitLab], Awaitable[list[Any]]],
) -> None:
    other = orjson.dumps(OURS | {"iid": 1})
    odd = other.replace(b'"x"', rb'"https://g\ud83d\u0000"')
    assert [each.iid for each in await _look(b"[%s, %s]" % (odd, orjson.dumps(OURS)), ask)] == [1, 14]
