"""Slack's Web API: the four calls of ours, and what its answers mean (docs/vendors/slack.md#errors).

The only file that knows Slack's HTTP. HTTP 200 does not mean success: `ok` does. Nothing here tries again, waits or
logs; the delivery row does.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

import httpx
import orjson

from notifier.settings import SlackSettings
from notifier.slack.message import Json, Message
from supportops.clock import Clock
from supportops.errors import CredentialRefused, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call
from supportops.vendors.http_client import HttpLimits, make_client, map_transport_errors, retry_after

CONNECTIONS = 264  # 200 notices (breaches/post.py), and what was enough for everything else
PAGE_SIZE = 200
MAX_PAGES = 25
LONGEST_WORDS = 300  # characters of what Slack explains
RATE_LIMIT_WAIT = timedelta(seconds=5)  # where Slack says 429 and names no time
_LONG_WAIT = timedelta(minutes=10)

_LATER = frozenset({"service_unavailable", "request_timeout", "team_added_to_org", "org_login_required"})
_LIMITED = frozenset({"ratelimited", "rate_limited"})
_PERHAPS = frozenset({"internal_error", "fatal_error"})
_CHANNEL = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "ekm_access_denied",
        "messages_tab_disabled",
        "no_permission",
        "restricted_action_thread_only_channel",  # of a post that answers no message
    }
)
_GONE = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
        "cant_update_message",
        "edit_window_closed",
    }
)
_CREDENTIAL = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "not_allowed_token_type",
        "access_denied",
        "accesslimited",
        "team_access_not_granted",
        "two_factor_setup_required",
        "enterprise_is_restricted",
        "metadata_must_be_sent_from_app",
        "app_access_restricted",
    }
)


class SlackRateLimited(Retryable):
    """Too fast: wait `after`. Says nothing about the message."""


class SlackCredentialError(CredentialRefused):
    """The token does not work or may not do this: nothing can be posted by anybody."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"Slack refuses the credential: {code}{detail}")
        self.code = code


class SlackRefused(Permanent):
    """This message is refused, for good."""

    def __init__(self, code: str, words: str = "") -> None:
        super().__init__(f"Slack refuses the message: {code}{': ' if words else ''}{words}")
        self.code = code


class SlackChannelError(SlackRefused):
    """The channel is gone, closed, or the bot is not in it; other channels are not concerned."""


class SlackTargetGone(SlackRefused):
    """The message to change, or the thread to answer in, is not there (any more)."""


@dataclass(frozen=True)
class Posted:
    """A message's address, all of it opaque: the channel's id, and the message that it answers to, if any."""

    channel: str
    ts: str
    thread_ts: str | None = None


@dataclass(frozen=True)
class SeenMessage:
    """A message as history shows it: address and our metadata."""

    ts: str
    event_type: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Identity:
    """The bot and its workspace. `scopes`: what the token may do, None where Slack does not say; `date`: its clock."""

    user: str
    team: str
    team_id: str = ""
    scopes: frozenset[str] | None = None
    date: str = ""


class SlackClient:
    """Slack, as one bot. `http` is bound to Slack's address and holds the token."""

    def __init__(self, http: httpx.AsyncClient, *, clock: Clock, metrics: Recorder) -> None:
        self._http, self._clock, self._metrics = http, clock, metrics

    async def post(
        self, channel: str, message: Message, metadata: Json, thread_ts: str | None = None
    ) -> Posted:
        """Post to a channel, or into the thread of the message `thread_ts`.

        Where that message was deleted Slack may post at channel level and call it a success: what the answer shows is
        what is returned.
        """
        body = _visible(channel, message) | {
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": metadata,
        }
        if message.username is not None:
            body["username"] = message.username
        if thread_ts is not None:
            body["thread_ts"] = thread_ts
        answer = await self._write("chat.postMessage", body)
        if not (ts := _text(answer, "ts")):
            raise UnknownOutcome("slack chat.postMessage: posted, but the answer does not say where")
        shown = answer.get("message")
        if isinstance(shown, dict):
            thread_ts = _text(shown, "thread_ts") or None
        return Posted(_text(answer, "channel") or channel, ts, thread_ts)

    async def update(self, posted: Posted, message: Message) -> None:
        """Change a message of ours, its metadata stays; doing it twice changes nothing."""
        body = _visible(posted.channel, message) | {"ts": posted.ts}
        await self._write("chat.update", body)

    async def history(
        self, channel: str, since: datetime, thread_ts: str | None = None
    ) -> AsyncIterator[SeenMessage]:
        """Messages with metadata since a moment: of the channel, or of one thread (replies are not in the history).

        Raises SlackChannelError or SlackCredentialError where the bot may not read, or there is too much to read.
        """
        query = {"channel": channel, "oldest": f"{since.timestamp():.6f}"}
        query |= {"include_all_metadata": "true", "limit": str(PAGE_SIZE)}
        query |= {} if thread_ts is None else {"ts": thread_ts}
        method = "conversations.history" if thread_ts is None else "conversations.replies"
        for _ in range(MAX_PAGES):
            answer = await self._send(method, self._http.build_request("GET", f"/{method}", params=query))
            for message in _seen(_listed(answer, "messages", method)):
                yield message
            cursor = _next_cursor(answer)
            if not cursor:
                if answer.get("has_more") is True:
                    raise Retryable(f"slack {method}: there is more, and the answer does not say where")
                return
            query["cursor"] = cursor
        raise SlackChannelError("history_too_long")

    async def channel_id(self, name: str) -> str | None:
        """The id of a channel that is named, among those that the bot may list; None when there is none.

        Posting takes the name of a public channel, reading does not. Raises SlackRefused or SlackCredentialError where
        the bot may not list channels.
        """
        query = {"types": "public_channel", "exclude_archived": "true", "limit": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            request = self._http.build_request("GET", "/conversations.list", params=query)
            answer = await self._send("conversations.list", request)
            for channel in _listed(answer, "channels", "conversations.list"):
                if _text(channel, "name") == name.removeprefix("#"):
                    return _text(channel, "id") or None
            if not (cursor := _next_cursor(answer)):
                return None
            query["cursor"] = cursor
        return None

    async def identity(self) -> Identity:
        """Whose token it is; changes nothing."""
        request = self._http.build_request("POST", "/auth.test")
        answer, headers = await self._ask("auth.test", request)
        listed = headers.get("x-oauth-scopes")
        scopes = (
            None if listed is None else frozenset(each.strip() for each in listed.split(",") if each.strip())
        )
        user, team, team_id = (_text(answer, name) for name in ("user", "team", "team_id"))
        return Identity(user, team, team_id, scopes, headers.get("date", ""))

    async def ask_for_socket(self) -> None:
        """Ask where a socket could be opened, which only an app-level token may; none is opened."""
        await self._write("apps.connections.open", {})

    async def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        """Say something in a channel that one person alone sees; SlackRefused where that person is not in it."""
        await self._write("chat.postEphemeral", {"channel": channel, "user": user, "text": text})

    async def read(self, method: str, query: Mapping[str, str]) -> Json:
        """The answer of a method that changes nothing; reads go as GET (docs/vendors/slack.md#client)."""
        request = self._http.build_request("GET", f"/{method}", params=dict(query))
        return await self._send(method, request)

    def now(self) -> datetime:
        """The moment by the client's clock."""
        return self._clock.now()

    async def _write(self, method: str, body: Json) -> Json:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        request = self._http.build_request("POST", f"/{method}", content=orjson.dumps(body), headers=headers)
        return await self._send(method, request)

    async def _send(self, method: str, request: httpx.Request) -> Json:
        return (await self._ask(method, request))[0]

    async def _ask(self, method: str, request: httpx.Request) -> tuple[Json, httpx.Headers]:
        with (
            counted_call(self._metrics, "slack", method),
            map_transport_errors(request.method, f"slack {method}"),
        ):
            response = await self._http.send(request)
            return read_answer(method, response, self._clock.now()), response.headers


@asynccontextmanager
async def open_slack(
    settings: SlackSettings,
    *,
    clock: Clock,
    metrics: Recorder,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[SlackClient]:
    """The workspace named by `settings`."""
    authorization = f"Bearer {settings.token.get_secret_value()}"
    patience = HttpLimits(answer=settings.timeout, connections=CONNECTIONS)
    async with make_client(
        settings.base_url, authorization=authorization, patience=patience, transport=transport
    ) as http:
        yield SlackClient(http, clock=clock, metrics=metrics)


def read_answer(method: str, response: httpx.Response, now: datetime) -> Json:
    """The answer's body when Slack did what it was asked; otherwise the error of the table in
    docs/vendors/slack.md#errors.
    """
    after = retry_after(response.headers, now)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise SlackRateLimited(f"slack {method}: rate limited", after or RATE_LIMIT_WAIT)
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise UnknownOutcome(f"slack {method}: {response.status_code} without JSON", after) from error
    if not isinstance(body, dict) or response.is_server_error:
        raise UnknownOutcome(f"slack {method}: {response.status_code}", after)
    if body.get("ok") is not True:
        code = _text(body, "error")
        if body.get("ok") is not False or not code:  # whoever answered there was not Slack
            raise Retryable(
                f"slack {method}: {response.status_code}, refused without a code of Slack's", after
            )
        _raise_for(method, code, body, after)
    return body


def _raise_for(method: str, code: str, body: Json, after: timedelta | None) -> NoReturn:
    """Raise the error that stands for one of Slack's codes."""
    what = f"slack {method}: {code[:100]}"
    if code in _LIMITED:
        raise SlackRateLimited(what, after or RATE_LIMIT_WAIT)
    if code == "message_limit_exceeded":
        raise SlackRateLimited(what, after or _LONG_WAIT)
    if code in _PERHAPS:
        raise UnknownOutcome(what, after)
    if code in _CREDENTIAL:
        raise SlackCredentialError(code, f" (needed: {body['needed']})" if "needed" in body else "")
    if code in _LATER:
        raise Retryable(what, after)
    words = _words(body)
    if code in _GONE or ("thread" in code and code not in _CHANNEL):
        raise SlackTargetGone(code, words)
    if code in _CHANNEL or code.startswith("restricted_action"):
        raise SlackChannelError(code, words)
    raise SlackRefused(
        code[:100], words
    )  # also a code that nobody has listed: it is this message's, and no other's


def _words(body: Json) -> str:
    """What Slack explains beside the code: `errors`, or the messages of `response_metadata`. They name places."""
    metadata = body.get("response_metadata")
    lists = [body.get("errors"), metadata.get("messages") if isinstance(metadata, dict) else None]
    said = [word for each in lists if isinstance(each, list) for word in each if isinstance(word, str)]
    return "; ".join(dict.fromkeys(word.removeprefix("[ERROR] ") for word in said))[:LONGEST_WORDS]


def _visible(channel: str, message: Message) -> Json:
    return {"channel": channel, "text": message.text, "attachments": message.attachments}


def _seen(messages: list[Json]) -> list[SeenMessage]:
    found = []
    for message in messages:
        metadata = message.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("event_payload"), dict):
            found.append(
                SeenMessage(_text(message, "ts"), _text(metadata, "event_type"), metadata["event_payload"])
            )
    return found


def _listed(answer: Json, name: str, method: str) -> list[Json]:
    """The objects in a list of an answer; whatever else stands in it is nothing to us.

    An answer without its list does not say that nothing is there (decision 199): what is looked for in it would be
    posted a second time, or never.
    """
    rows = answer.get(name)
    if not isinstance(rows, list):
        raise Retryable(f"slack {method}: an answer without its {name}")
    return [row for row in rows if isinstance(row, dict)]


def _next_cursor(answer: Json) -> str:
    metadata = answer.get("response_metadata")
    return _text(metadata, "next_cursor") if isinstance(metadata, dict) else ""


def _text(mapping: Json, name: str) -> str:
    value = mapping.get(name)
    return value if isinstance(value, str) else ""
