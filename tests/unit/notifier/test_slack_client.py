"""What we send to Slack, and what its answers mean (the tables of docs/vendors/slack.md)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from notifier.feeds.render import FeedLine, Look, render
from notifier.settings import SlackSettings
from notifier.slack.client import (
    Posted,
    SlackChannelError,
    SlackClient,
    SlackCredentialError,
    SlackRateLimited,
    SlackRefused,
    SlackTargetGone,
    open_slack,
)
from notifier.slack.reads import user_by_email
from supportops.clock import ManualClock
from supportops.errors import DestinationPaused, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Metrics
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MESSAGE = render(FeedLine("5", NOW, status="open", comment="Hi"), Look("https://a.zendesk.com"))
METADATA = {"event_type": "ticket_feed", "event_payload": {"key": "k", "ticket_id": 5}}
Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def slack(answer: Answer) -> AsyncIterator[SlackClient]:
    settings = SlackSettings(base_url="https://slack.example/api", token=SecretStr("xoxb-1"))
    transport = httpx.MockTransport(answer)
    async with open_slack(settings, clock=ManualClock(NOW), metrics=Metrics(), transport=transport) as client:
        yield client


def always(status: int, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda _: httpx.Response(status, content=content, headers=headers)


async def test_what_a_post_sends() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": True, "channel": "C9", "ts": "1.5"})

    async with slack(answer) as client:
        assert await client.post("feed", MESSAGE, METADATA, thread_ts="1.1") == Posted("C9", "1.5", "1.1")
    (request,) = seen
    assert str(request.url) == "https://slack.example/api/chat.postMessage"
    assert request.headers["Authorization"] == "Bearer xoxb-1"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert orjson.loads(request.content) == {
        "channel": "feed",
        "text": MESSAGE.text,
        "attachments": MESSAGE.attachments,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": METADATA,
        "thread_ts": "1.1",
    }


async def test_what_an_update_sends() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(orjson.loads(request.content))
        return httpx.Response(200, json={"ok": True})

    async with slack(answer) as client:
        await client.update(Posted("C9", "1.5"), MESSAGE)
    assert seen[0]["ts"] == "1.5"
    assert seen[0]["channel"] == "C9"
    assert "metadata" not in seen[0]  # Slack keeps what it has


CODES: list[tuple[str, type[Exception]]] = [
    *[(code, SlackRateLimited) for code in ("ratelimited", "rate_limited", "message_limit_exceeded")],
    *[(code, Retryable) for code in ("service_unavailable", "request_timeout", "team_added_to_org")],
    *[(code, UnknownOutcome) for code in ("internal_error", "fatal_error")],
    *[(code, SlackChannelError) for code in ("channel_not_found", "not_in_channel", "is_archived")],
    *[(code, SlackChannelError) for code in ("restricted_action", "restricted_action_read_only_channel")],
    ("restricted_action_thread_only_channel", SlackChannelError),
    ("restricted_action_non_threadable_channel", SlackTargetGone),
    *[(code, SlackRefused) for code in ("no_text", "msg_too_long", "invalid_blocks", "metadata_too_large")],
    *[(code, SlackTargetGone) for code in ("message_not_found", "thread_not_found")],
    *[(code, SlackTargetGone) for code in ("cannot_reply_to_message", "restricted_action_thread_locked")],
    *[(code, SlackCredentialError) for code in ("invalid_auth", "token_revoked", "missing_scope")],
    ("something_new", SlackRefused),
]


@for_each("code, error", CODES)
async def test_each_code_has_its_reaction(code: str, error: type[Exception]) -> None:
    async with slack(always(200, {"ok": False, "error": code})) as client:
        with pytest.raises(error) as caught:
            await client.post("feed", MESSAGE, METADATA)
    assert type(caught.value) is error
    assert code in str(caught.value)
    assert "xoxb" not in str(caught.value)


@for_each(
    "answer, error, after",
    [
        (always(429, {"ok": False}, **{"Retry-After": "7"}), SlackRateLimited, timedelta(seconds=7)),
        (always(429, b"slow down"), SlackRateLimited, timedelta(seconds=5)),
        (always(429, b"", **{"Retry-After": "0"}), SlackRateLimited, timedelta(seconds=5)),
        (always(429, b"", **{"Retry-After": "-3"}), SlackRateLimited, timedelta(seconds=5)),
        (
            always(429, b"", **{"Retry-After": "Mon, 02 Nov 2026 09:00:30 GMT"}),
            SlackRateLimited,
            timedelta(seconds=30),
        ),
        (always(200, {"ok": False, "error": "ratelimited"}), SlackRateLimited, timedelta(seconds=5)),
        (always(403, b"<html>proxy"), UnknownOutcome, None),
        (always(302, b"", Location="https://login.example"), UnknownOutcome, None),
        (always(200, b'{"ok":true,"channel":"C9","ts":"1.'), UnknownOutcome, None),
        (always(200, {"ok": True, "channel": "C9", "ts": 1.5}), UnknownOutcome, None),
        (always(429, b"", **{"Retry-After": "1e9"}), SlackRateLimited, timedelta(seconds=5)),
        (always(429, b"", **{"Retry-After": "999999"}), SlackRateLimited, timedelta(hours=1)),
        (always(503, b"<html>", **{"Retry-After": "3"}), UnknownOutcome, timedelta(seconds=3)),
        (always(500, {"ok": True, "ts": "1"}), UnknownOutcome, None),
        (always(200, b"<html>"), UnknownOutcome, None),
        (always(200, [1]), UnknownOutcome, None),
        (always(200, {"ok": "yes"}), Retryable, None),
        (always(200, {}), Retryable, None),
        (always(403, {"error": "blocked by policy"}), Retryable, None),  # of whoever stands before Slack
        (always(200, {"ok": None, "error": "channel_not_found"}), Retryable, None),
    ],
)
async def test_answers_that_are_no_answer(
    answer: Answer, error: type[Retryable], after: timedelta | None
) -> None:
    async with slack(answer) as client:
        with pytest.raises(error) as caught:
            await client.post("feed", MESSAGE, METADATA)
    assert type(caught.value) is error
    assert caught.value.after == after


@for_each("other", ["deleted", "is_bot", "is_stranger"])
async def test_who_is_no_colleague_is_nobody(other: str) -> None:
    for flag, found in ((False, "U1"), (True, None)):
        async with slack(always(200, {"ok": True, "user": {"id": "U1", other: flag}})) as client:
            assert await user_by_email(client, "ada@support.example") == found


@for_each(
    "failure, error",
    [
        (httpx.ConnectError("refused"), Retryable),
        (httpx.ConnectTimeout("slow"), Retryable),
        (httpx.ReadTimeout("slow"), UnknownOutcome),
        (httpx.WriteError("reset"), UnknownOutcome),
        (httpx.RemoteProtocolError("cut off"), UnknownOutcome),
    ],
)
async def test_only_what_was_never_sent_is_sure_not_to_have_happened(
    failure: httpx.RequestError, error: type[Exception]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    async with slack(fail) as client:
        with pytest.raises(Retryable) as caught:
            await client.post("feed", MESSAGE, METADATA)
    assert type(caught.value) is error


async def test_a_missing_scope_is_named() -> None:
    body = {"ok": False, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}
    async with slack(always(200, body)) as client:
        with pytest.raises(DestinationPaused, match="needed: channels:history"):
            await client.post("feed", MESSAGE, METADATA)


def page(*messages: dict[str, Any], cursor: str = "") -> dict[str, Any]:
    return {"ok": True, "messages": list(messages), "response_metadata": {"next_cursor": cursor}}


def message(ts: str, **payload: Any) -> dict[str, Any]:
    return {"ts": ts, "text": "…", "metadata": {"event_type": "ticket_feed", "event_payload": payload}}


async def test_history_is_read_page_by_page_and_tolerates_other_messages() -> None:
    seen: list[dict[str, str]] = []
    other = [{"ts": "3", "text": "no metadata"}, {"ts": "2", "metadata": {"event_type": "x"}}, "odd"]

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(dict(request.url.params))
        second = "cursor" in request.url.params
        pages = page(message("1", key="b")) if second else page(message("4", key="a"), *other, cursor="c2")  # type: ignore[arg-type]  # odd on purpose
        return httpx.Response(200, json=pages)

    async with slack(answer) as client:
        found = [each async for each in client.history("C1", NOW)]
    assert [(each.ts, each.payload["key"]) for each in found] == [("4", "a"), ("1", "b")]
    assert seen[0] == {
        "channel": "C1",
        "oldest": f"{NOW.timestamp():.6f}",
        "include_all_metadata": "true",
        "limit": "200",
    }
    assert seen[1]["cursor"] == "c2"


async def test_a_thread_is_read_as_replies() -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(f"{request.method} {request.url.path} {request.url.params['ts']}")
        return httpx.Response(200, json=page())

    async with slack(answer) as client:
        assert [each async for each in client.history("C1", NOW, "1.5")] == []
    assert paths == ["GET /api/conversations.replies 1.5"]


async def test_a_history_without_end_is_given_up() -> None:
    async with slack(always(200, page(cursor="more"))) as client:
        with pytest.raises(Permanent, match="history_too_long"):
            assert [each async for each in client.history("C1", NOW)]


async def test_slacks_own_explanation_is_kept() -> None:
    words = "must be less than 3001 characters [json-pointer:/attachments/0/blocks/2/text/text]"
    body = {"ok": False, "error": "invalid_attachments", "errors": [words]}
    body |= {"response_metadata": {"messages": [f"[ERROR] {words}"]}}
    async with slack(always(200, body)) as client:
        with pytest.raises(SlackRefused) as caught:
            await client.post("feed", MESSAGE, METADATA)
    assert str(caught.value) == f"Slack refuses the message: invalid_attachments: {words}"


async def test_an_answer_shows_where_the_message_really_stands() -> None:
    shown = {"ok": True, "channel": "C9", "ts": "1.5", "message": {"ts": "1.5", "text": "Hi"}}
    async with slack(always(200, shown)) as client:
        assert await client.post("feed", MESSAGE, METADATA, thread_ts="1.1") == Posted("C9", "1.5")


async def test_a_success_without_an_address_is_a_doubt() -> None:
    async with slack(always(200, {"ok": True, "message": 5})) as client:
        with pytest.raises(UnknownOutcome):
            await client.post("feed", MESSAGE, METADATA)


ODD: list[Any] = [None, [], {}, "x", 5, [None, 5, "x", []]]


@for_each("odd", ODD)
@for_each("field", ["message", "response_metadata", "warning", "deprecated_argument"])
async def test_what_we_do_not_use_of_an_answer_may_be_anything(field: str, odd: Any) -> None:
    async with slack(always(200, {"ok": True, "channel": "C9", "ts": "1.5", field: odd})) as client:
        assert (await client.post("feed", MESSAGE, METADATA)).ts == "1.5"
    async with slack(always(200, {"ok": False, "error": "no_text", field: odd, "errors": odd})) as client:
        with pytest.raises(SlackRefused):
            await client.post("feed", MESSAGE, METADATA)


@for_each("odd", ODD)
async def test_odd_messages_of_a_history_hide_no_other(odd: Any) -> None:
    good = {"ts": "1.5", "metadata": {"event_type": "ticket_feed", "event_payload": {"key": "k"}}}
    body = {"ok": True, "messages": [odd, {"metadata": odd}, {"ts": odd}, good], "response_metadata": odd}
    async with slack(always(200, body)) as client:
        assert [seen.ts async for seen in client.history("C9", NOW)] == ["1.5"]


@for_each("odd", [None, {}, "x", 5])
async def test_an_answer_without_its_list_does_not_say_that_nothing_is_there(odd: Any) -> None:
    """Else a message would be posted a second time, or a channel that is there be none."""
    for body in ({"ok": True}, {"ok": True, "messages": odd, "channels": odd}):
        async with slack(always(200, body)) as client:
            with pytest.raises(Retryable, match="without its messages"):
                assert [seen async for seen in client.history("C9", NOW)]
            with pytest.raises(Retryable, match="without its channels"):
                await client.channel_id("feed")


async def test_a_history_that_stops_in_its_middle_is_not_its_end() -> None:
    async with slack(always(200, page() | {"has_more": True})) as client:
        with pytest.raises(Retryable, match="there is more"):
            assert [seen async for seen in client.history("C9", NOW)]
