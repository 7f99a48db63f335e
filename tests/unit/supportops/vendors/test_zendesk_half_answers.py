"""What is no answer is never taken for "there is none": neither a thing that is gone, nor an empty list."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from supportops.errors import DestinationPaused, Permanent, Retryable, UnknownOutcome
from supportops.vendors.zendesk import NewComment, Refused, Zendesk
from tests.support.for_each import for_each
from tests.unit.supportops.vendors.fake_zendesk import NOW, Fake, client_of
from tests.unit.supportops.vendors.test_zendesk_odd_answers import COMMENT, TICKET, USER

type Ask = Callable[[Zendesk], Awaitable[Any]]

LISTS: dict[str, Ask] = {
    "tickets": lambda zendesk: zendesk.tickets(["7"]),
    "users": lambda zendesk: zendesk.users(["601"]),
    "organizations": lambda zendesk: zendesk.organizations(["4"]),
    "forms": lambda zendesk: zendesk.ticket_forms(),
    "ratings": lambda zendesk: zendesk.satisfaction.ratings(NOW, NOW, None),
    "responses": lambda zendesk: zendesk.satisfaction.responses(NOW, NOW, None),
    "export": lambda zendesk: zendesk.exports.tickets(NOW),
}
OF_A_TICKET: dict[str, Ask] = {
    "comments": lambda zendesk: zendesk.latest_comments("7"),
    "audits": lambda zendesk: zendesk.audits("7"),
}
THINGS: dict[str, Ask] = {
    "ticket": lambda zendesk: zendesk.ticket("7"),
    "rating": lambda zendesk: zendesk.satisfaction.rating("41"),
    "sharing": lambda zendesk: zendesk.sharing.organization("4"),
}
READS = LISTS | OF_A_TICKET | THINGS
WRITES: dict[str, Ask] = {
    "comment": lambda zendesk: zendesk.update_ticket(
        "7", updated_stamp=NOW, comment=NewComment("x", public=True)
    ),
    "add_tags": lambda zendesk: zendesk.add_tags("7", ["a"], updated_stamp=NOW),
    "remove_tags": lambda zendesk: zendesk.remove_tags("7", ["a"], updated_stamp=NOW),
}
HTML = b"<!doctype html><title>Zendesk</title>"
NO_ANSWERS: dict[str, httpx.Response] = {
    "an error with 200": httpx.Response(200, json={"error": "unavailable", "description": "Try later"}),
    "no key": httpx.Response(200, json={}),
    "all null": httpx.Response(
        200,
        json=dict.fromkeys(
            ("ticket", "organization", "satisfaction_rating", "tickets", "users", "organizations")
        )
        | {"comments": None, "audits": None, "after_cursor": "c"},
    ),
    "html": httpx.Response(200, content=HTML),
    "empty": httpx.Response(200),
    "a list": httpx.Response(200, json=[]),
    "cut off": httpx.Response(200, content=b'{"ticket": {"id": 7, "status": "sol'),
}
ELSEWHERE = ("https://evil.example/x", "/login", None)


async def _met(ask: Ask, answer: httpx.Response) -> Any:
    fake = Fake()
    fake.answers.append(answer)
    async with client_of(fake) as zendesk:
        return await ask(zendesk)


@for_each("answer", NO_ANSWERS)
@for_each("call", READS)
async def test_no_answer_is_asked_for_again(call: str, answer: str) -> None:
    with pytest.raises(Retryable) as caught:
        await _met(READS[call], NO_ANSWERS[answer])
    assert not isinstance(caught.value, DestinationPaused)


@for_each("answer", ["html", "empty", "a list", "cut off"])
@for_each("call", WRITES)
async def test_after_no_answer_to_a_write_nobody_knows(call: str, answer: str) -> None:
    with pytest.raises(UnknownOutcome):
        await _met(WRITES[call], NO_ANSWERS[answer])


@for_each("location", ELSEWHERE)
@for_each("call", READS | WRITES)
async def test_an_account_that_is_elsewhere_is_no_rows_fault(call: str, location: str | None) -> None:
    headers = {} if location is None else {"location": location}
    with pytest.raises(DestinationPaused, match="ZENDESK_BASE_URL"):
        await _met((READS | WRITES)[call], httpx.Response(302, headers=headers))


@for_each("call", ["tickets", "users", "organizations", *OF_A_TICKET, *THINGS])
async def test_a_404_of_somebody_else_is_no_deletion(call: str) -> None:
    with pytest.raises(Retryable, match="not in the words"):
        await _met(READS[call], httpx.Response(404, content=HTML))


@for_each("status", [404, 410])
@for_each("call", OF_A_TICKET | THINGS)
async def test_what_is_gone_is_gone(call: str, status: int) -> None:
    gone = httpx.Response(status, json={"error": "RecordNotFound", "description": "Not found"})
    assert not await _met((OF_A_TICKET | THINGS)[call], gone)


@for_each("call", READS)
async def test_only_a_write_can_be_refused_by_the_ticket(call: str) -> None:
    with pytest.raises(Permanent) as caught:
        await _met(READS[call], httpx.Response(422, json={"error": "RecordInvalid"}))
    assert not isinstance(caught.value, Refused)


PAGED: dict[str, tuple[str, Callable[[Zendesk, str], Awaitable[Any]]]] = {
    "ratings": (
        "satisfaction_ratings",
        lambda zendesk, cursor: zendesk.satisfaction.ratings(NOW, NOW, cursor),
    ),
    "responses": (
        "survey_responses",
        lambda zendesk, cursor: zendesk.satisfaction.responses(NOW, NOW, cursor),
    ),
    "export": ("tickets", lambda zendesk, cursor: zendesk.exports.tickets(NOW, cursor)),
}


@for_each("following", [{"after_cursor": "c"}, {"after_cursor": None}, {"after_cursor": 5}])
@for_each("name", PAGED)
async def test_history_neither_ends_early_nor_goes_round(name: str, following: dict[str, Any]) -> None:
    """After the page `c` comes another one, which is not named, or is `c` again."""
    key, ask = PAGED[name]
    body = {key: [], "meta": following | {"has_more": True}, "end_of_stream": "no"} | following
    with pytest.raises(Retryable):
        await _met(lambda zendesk: ask(zendesk, "c"), httpx.Response(200, json=body))


async def _one(key: str, row: object, ask: Ask) -> Any:
    return await _met(ask, httpx.Response(200, json={key: row}))


@for_each("name", ["organization_id", "suspended", "active"])
async def test_what_decides_about_a_person_is_never_guessed(name: str) -> None:
    with pytest.raises(Permanent, match=name):
        (await _one("users", [USER | {name: {"odd": 1}}], LISTS["users"])).get("601")


@for_each("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "9999-12-31T00:00:00Z"])
async def test_a_moment_that_nothing_can_be_added_to_is_none(text: str) -> None:
    """One such row takes no neighbour with it; where the moment does not decide, the row is read without it."""
    rows = [TICKET | {"id": 8, "updated_at": text}, TICKET | {"created_at": text}]
    found = await _one("tickets", rows, LISTS["tickets"])
    assert [(each.id, each.created_at) for each in found.values()] == [("7", None)]


@for_each(
    "sent, read",
    [
        (rb"a\u0000b", "ab"),
        (rb"a\ud83d", "a\ufffd"),
        (rb"a\ud83d\ude00\u0000", "a\U0001f600"),
        (rb"\\u0000", r"\u0000"),
    ],
)
async def test_characters_that_no_store_holds_spoil_no_answer(sent: bytes, read: str) -> None:
    content = b'{"users": [{"id": 601, "name": "%s", "\\u0000": ["\\ud83d"]}]}' % sent
    users = await _met(LISTS["users"], httpx.Response(200, content=content))
    assert users["601"].name == read


async def test_words_of_a_refusal_can_be_stored() -> None:
    answer = httpx.Response(403, content=rb'{"error": "No\u0000 entry \ud83d"}')
    with pytest.raises(Permanent, match="No entry \ufffd"):
        await _met(LISTS["users"], answer)


@for_each("plain", [None, 5, {}])
async def test_a_comment_without_plain_text_is_read_by_its_body(plain: object) -> None:
    """Whoever looks for a link of ours must not overlook it."""
    [comment] = await _one(
        "comments", [COMMENT | {"plain_body": plain, "body": "ours"}], OF_A_TICKET["comments"]
    )
    assert comment.body == "ours"


async def test_a_field_of_a_megabyte_is_a_field() -> None:
    ticket = await _one("ticket", TICKET | {"subject": "x" * 2**20}, THINGS["ticket"])
    assert len(ticket.subject) == 2**20
