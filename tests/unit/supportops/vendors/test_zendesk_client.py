"""The Zendesk client: what it sends, what it reads, and what each refusal becomes."""

import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from supportops.config import ZendeskSettings
from supportops.errors import (
    Conflict,
    CredentialRefused,
    DestinationPaused,
    Forbidden,
    NotFound,
    Permanent,
    Retryable,
    UnknownOutcome,
)
from supportops.vendors.zendesk import NewComment, References, Refused, Zendesk, open_zendesk
from tests.unit.supportops.vendors.fake_zendesk import NOW, Fake, client_of

TICKET: dict[str, Any] = {
    "id": 35436,
    "status": "Solved",
    "subject": "Help",
    "tags": None,
    "organization_id": None,
    "requester_id": 20978392,
    "ticket_form_id": 6130830344474,
    "satisfaction_rating": None,
    "via": {"channel": "email"},
    "updated_at": "2026-03-01T11:00:00+01:00",
    "a_field_of_next_year": {"x": 1},
}

type Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
async def zendesk(fake: Fake) -> AsyncIterator[Zendesk]:
    async with client_of(fake) as client:
        yield client


async def test_a_ticket_is_read_with_its_requester(fake: Fake, zendesk: Zendesk) -> None:
    people = [{"id": 7, "name": "Ada"}, {"id": 20978392, "name": "Rita", "locale": "de"}]
    fake.give(body={"ticket": TICKET, "users": people})
    fake.give(body={"ticket": TICKET, "users": people[:1]})
    found, missing = await zendesk.ticket("35436"), await zendesk.ticket("35436")
    assert found is not None
    assert missing is not None
    assert found.requester is not None
    assert (found.requester.name, found.requester.locale, missing.requester) == ("Rita", "de", None)


async def test_a_ticket_is_read_with_its_metrics(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(
        body={"ticket": TICKET, "metric_sets": [{"ticket_id": 35436, "solved_at": "2026-03-01T09:59:58Z"}]}
    )
    ticket = await zendesk.ticket("35436")
    assert ticket is not None
    assert fake.requests[0].url.path == "/api/v2/tickets/35436"
    assert fake.query() == {"include": ["metric_sets,users"]}
    assert (ticket.id, ticket.status, ticket.tags, ticket.organization_id) == ("35436", "solved", (), None)
    assert (ticket.requester_id, ticket.form_id) == ("20978392", "6130830344474")
    assert ticket.updated_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert ticket.solved_at == datetime(2026, 3, 1, 9, 59, 58, tzinfo=UTC)


async def test_calls_carry_the_credential(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"ticket": TICKET})
    await zendesk.ticket("1")
    scheme, _, credential = fake.requests[0].headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(credential)) == ("Basic", b"ops@example.com/token:t0ken")


SCORES: dict[str, tuple[object, str]] = {
    "plan without CSAT": (None, "unoffered"),
    "unoffered": ({"score": "unoffered"}, "unoffered"),
    "offered": ({"score": "OFFERED"}, "offered"),
    "bad": ({"id": 9, "score": "bad", "comment": None, "reason": "Slow", "reason_id": 5}, "bad"),
    "a list of one": ([{"id": 9, "score": "good"}], "good"),
    "an empty list": ([], "unoffered"),
}


@pytest.mark.parametrize(("rating", "score"), SCORES.values(), ids=SCORES)
async def test_ratings_of_every_form(fake: Fake, zendesk: Zendesk, rating: object, score: str) -> None:
    fake.give(body={"ticket": TICKET | {"satisfaction_rating": rating}})
    ticket = await zendesk.ticket("1")
    assert ticket is not None
    assert ticket.score == score


@pytest.mark.parametrize(
    "metrics",
    [{"solved_at": "2026-03-01T09:00:00Z"}, [{"solved_at": "2026-03-01T09:00:00Z"}]],
    ids=["object", "list"],
)
async def test_metrics_as_object_or_list(fake: Fake, zendesk: Zendesk, metrics: object) -> None:
    fake.give(body={"ticket": TICKET, "metric_sets": metrics})
    ticket = await zendesk.ticket("1")
    assert ticket is not None
    assert ticket.solved_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-03-01T10:00:00", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00+01:00"])
async def test_moments_are_aware_and_utc(fake: Fake, zendesk: Zendesk, text: str) -> None:
    fake.give(body={"ticket": TICKET | {"updated_at": text}})
    ticket = await zendesk.ticket("1")
    assert ticket is not None
    assert ticket.updated_at.isoformat() == "2026-03-01T10:00:00+00:00"


async def test_metrics_of_another_ticket_are_not_taken(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"ticket": TICKET, "metric_sets": [{"ticket_id": 1, "solved_at": "2026-03-01T09:00:00Z"}]})
    ticket = await zendesk.ticket("35436")
    assert ticket is not None
    assert ticket.solved_at is None


async def test_a_deleted_ticket_is_none(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(404, {"error": "RecordNotFound", "description": "Not found"})
    assert await zendesk.ticket("1") is None
    assert fake.outcomes("ticket", "not_found") == 1


@pytest.mark.parametrize("ticket_id", ["", "1/../users/2", "abc", "1?x=y", "-1", "٣", "1" * 21, "1\n"])
async def test_only_digits_become_a_part_of_an_address(zendesk: Zendesk, ticket_id: str) -> None:
    with pytest.raises(Permanent, match="not an id of Zendesk"):
        await zendesk.ticket(ticket_id)


async def test_an_answer_of_another_shape_is_refused_without_its_words(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"ticket": {"id": "Dear Bob", "status": "open"}})
    with pytest.raises(Permanent) as caught:
        await zendesk.ticket("1")
    assert str(caught.value) == "zendesk: a Ticket we cannot read: id, updated_at"


async def test_show_many_goes_by_the_hundred_and_leaves_out_the_missing(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"organizations": [{"id": 1, "name": "One", "organization_fields": {"plan": "gold"}}]})
    fake.give(body={"organizations": []})
    found = await zendesk.organizations([str(number) for number in range(1, 151)] + ["1"])
    assert list(found) == ["1"]
    assert found["1"].organization_fields == {"plan": "gold"}
    assert len(fake.query(0)["ids"][0].split(",")) == 100
    assert len(fake.query(1)["ids"][0].split(",")) == 50


async def test_show_many_of_nothing_calls_nobody(fake: Fake, zendesk: Zendesk) -> None:
    assert await zendesk.users([]) == {}
    assert fake.requests == []


async def test_users_know_who_is_suspended(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"users": [{"id": 1, "name": "A", "suspended": True}, {"id": 2, "name": "B"}]})
    found = await zendesk.users(["1", "2"])
    assert (found["1"].suspended, found["2"].suspended) == (True, False)


def _comment(number: int, public: bool = True) -> dict[str, object]:
    return {
        "id": number,
        "author_id": 5,
        "body": "**b**",
        "plain_body": f"comment {number}",
        "public": public,
        "created_at": "2026-03-01T10:00:00Z",
    }


async def test_latest_comments_follow_the_cursor_and_never_the_address(fake: Fake, zendesk: Zendesk) -> None:
    meta = {"has_more": True, "after_cursor": "abc="}
    fake.give(
        body={"comments": [_comment(9)], "meta": meta, "links": {"next": "https://evil.example/?page=2"}}
    )
    fake.give(body={"comments": [_comment(8, public=False)], "meta": {"has_more": False}})
    comments = await zendesk.latest_comments("7")
    assert [(each.id, each.body, each.public) for each in comments] == [
        ("9", "comment 9", True),
        ("8", "comment 8", False),
    ]
    assert fake.query(0) == {"sort": ["-created_at"], "page[size]": ["100"]}
    assert fake.query(1)["page[after]"] == ["abc="]
    assert {request.url.host for request in fake.requests} == {"acme.zendesk.com"}


async def test_latest_comments_read_no_page_too_many(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"comments": [_comment(3), _comment(2)], "meta": {"has_more": True, "after_cursor": "x"}})
    assert [each.id for each in await zendesk.latest_comments("7", limit=2)] == ["3", "2"]
    assert fake.query() == {"sort": ["-created_at"], "page[size]": ["2"]}


async def test_comments_of_a_deleted_ticket_are_none(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(404)
    assert await zendesk.latest_comments("7") == []


async def test_a_comment_without_a_flag_counts_as_private(fake: Fake, zendesk: Zendesk) -> None:
    comment = _comment(1)
    del comment["public"]
    fake.give(body={"comments": [comment]})
    assert not (await zendesk.latest_comments("7"))[0].public


async def test_forms_and_groups_by_id(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"ticket_forms": [{"id": 1, "name": "Security", "active": False}]})
    fake.give(404)
    assert (await zendesk.ticket_forms())["1"].name == "Security"
    assert await zendesk.groups() == {}


async def test_an_update_is_a_safe_update(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"ticket": TICKET, "audit": {}})
    stamp = datetime(2026, 3, 1, 11, 0, 0, tzinfo=UTC)
    comment = NewComment("How did we do?", public=True, author_id="5")
    await zendesk.update_ticket("35436", updated_stamp=stamp, comment=comment, fields={"status": "open"})
    assert fake.requests[0].method == "PUT"
    assert fake.body() == {
        "ticket": {
            "status": "open",
            "comment": {"body": "How did we do?", "public": True, "author_id": 5},
            "safe_update": True,
            "updated_stamp": "2026-03-01T11:00:00Z",
        }
    }


async def test_tags_in_an_update_are_refused(zendesk: Zendesk) -> None:
    with pytest.raises(ValueError, match="add_tags"):
        await zendesk.update_ticket("1", updated_stamp=NOW, fields={"tags": ["x"]})


async def test_tags_are_added_with_put(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(body={"tags": ["enterprise", "csat_survey_sent"]})
    await zendesk.add_tags("1", ["csat_survey_sent"])
    assert (fake.requests[0].method, fake.requests[0].url.path) == ("PUT", "/api/v2/tickets/1/tags")
    assert fake.body() == {"tags": ["csat_survey_sent"]}


async def test_tags_may_be_a_safe_update(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(409)
    with pytest.raises(Conflict):
        await zendesk.add_tags("1", ["a"], updated_stamp=NOW)
    assert fake.body() == {"tags": ["a"], "updated_stamp": "2026-03-01T12:00:00Z", "safe_update": "true"}


@pytest.mark.parametrize("tags", [[], ["Two Words"], ["ok", "ä"], ["a,b"], [""]])
async def test_odd_tags_are_refused(zendesk: Zendesk, tags: list[str]) -> None:
    with pytest.raises(ValueError, match="tags are made of"):
        await zendesk.add_tags("1", tags)


CLOSED = {
    "error": "RecordInvalid",
    "description": "Record validation errors",
    "details": {"status": [{"description": "Status: closed prevents ticket update"}]},
}
REQUIRED = {
    "error": "RecordInvalid",
    "description": "Record validation errors",
    "details": {"base": [{"description": "X: is required when solving a ticket", "ticket_field_id": 5}]},
}


async def test_a_closed_ticket_refuses(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(422, CLOSED)
    with pytest.raises(Refused, match="closed prevents ticket update") as caught:
        await zendesk.update_ticket("1", updated_stamp=NOW)
    assert caught.value.closed
    assert fake.outcomes("update_ticket", "permanent") == 1


async def test_another_refusal_is_not_about_being_closed(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(422, REQUIRED)
    with pytest.raises(Refused, match="is required when solving") as caught:
        await zendesk.update_ticket("1", updated_stamp=NOW)
    assert not caught.value.closed
    assert list(caught.value.details) == ["base"]


REFUSALS: dict[int, type[Exception]] = {
    400: Permanent,
    401: CredentialRefused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: DestinationPaused,
    500: UnknownOutcome,
    503: UnknownOutcome,
}


@pytest.mark.parametrize(("status", "kind"), REFUSALS.items())
async def test_refusals_of_a_write(fake: Fake, zendesk: Zendesk, status: int, kind: type[Exception]) -> None:
    fake.give(status, {"errors": [{"code": "TooManyRequests", "title": "Too many requests to update"}]})
    with pytest.raises(kind, match=f"zendesk update_ticket: {status} Too many requests to update") as caught:
        await zendesk.update_ticket("1", updated_stamp=NOW)
    assert type(caught.value) is kind


async def test_a_write_whose_answer_is_lost_may_have_happened(fake: Fake, zendesk: Zendesk) -> None:
    fake.break_with(httpx.ReadTimeout("slow"))
    with pytest.raises(UnknownOutcome):
        await zendesk.add_tags("1", ["a"])
    assert fake.outcomes("add_tags", "unknown") == 1


@pytest.mark.parametrize("content", [b"<html>maintenance</html>", b"[1]", b""])
async def test_an_answer_that_is_no_json(fake: Fake, zendesk: Zendesk, content: bytes) -> None:
    fake.answers = [httpx.Response(200, content=content), httpx.Response(200, content=content)]
    with pytest.raises(Retryable) as read:
        await zendesk.ticket("1")
    assert not isinstance(read.value, UnknownOutcome)
    with pytest.raises(UnknownOutcome):
        await zendesk.update_ticket("1", updated_stamp=NOW)


async def test_html_of_an_outage_stays_out_of_the_message(fake: Fake, zendesk: Zendesk) -> None:
    fake.answers = [httpx.Response(503, content=b"<html>x</html>", headers={"Retry-After": "9"})]
    with pytest.raises(Retryable) as caught:
        await zendesk.ticket("1")
    assert str(caught.value) == "zendesk ticket: 503"
    assert caught.value.after == timedelta(seconds=9)


async def test_after_429_nobody_of_this_process_calls_before_the_time(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(429, {"error": "APIRateLimitExceeded"}, **{"Retry-After": "30"})
    with pytest.raises(DestinationPaused) as first:
        await zendesk.ticket("1")
    assert first.value.after == timedelta(seconds=30)
    fake.clock.advance(timedelta(seconds=29))
    with pytest.raises(DestinationPaused, match="asked to wait") as second:
        await zendesk.ticket("2")
    assert second.value.after == timedelta(seconds=1)
    assert len(fake.requests) == 1
    fake.clock.advance(timedelta(seconds=1))
    fake.give(body={"ticket": TICKET})
    assert await zendesk.ticket("2") is not None


async def test_a_429_of_one_endpoint_closes_nothing_else(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(429, None, **{"Retry-After": "500", "x-rate-limit-remaining": "120"})
    with pytest.raises(Retryable) as caught:
        await zendesk.update_ticket("1", updated_stamp=NOW)
    assert (type(caught.value), caught.value.after) == (Retryable, timedelta(seconds=500))
    fake.give(body={"ticket": TICKET})
    assert await zendesk.ticket("1") is not None


async def test_names_are_read_once(fake: Fake, zendesk: Zendesk) -> None:
    references = References(zendesk, clock=fake.clock, metrics=fake.metrics)
    fake.give(body={"organizations": [{"id": 1, "name": "Acme"}]})
    fake.give(body={"ticket_forms": [{"id": 5, "name": "Security"}]})
    for _ in range(2):
        organization, form = await references.organizations.get("1"), await references.forms.get("5")
        assert organization is not None
        assert form is not None
        assert (organization.name, form.name) == ("Acme", "Security")
    assert len(fake.requests) == 2


async def test_an_api_token_is_warned_of_in_the_log_at_each_start(fake: Fake) -> None:
    settings = ZendeskSettings(
        base_url="https://acme.zendesk.com", email="ops@example.com", token=SecretStr("t0ken")
    )
    with structlog.testing.capture_logs() as lines:
        async with open_zendesk(settings, ["read"], clock=fake.clock, metrics=fake.metrics):
            pass
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("zendesk.api_token_ends", "warning")
    assert "30 April 2027 (in 425 days)" in line["reason"]
