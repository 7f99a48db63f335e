"""Slack's Web API: the three calls of ours, and what its answers mean (slack.md 1, 3, 7).

The only file that knows Slack's HTTP. HTTP 200 does not mean success: `ok` does. Nothing here tries again, waits or
logs; the delivery row does.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from notifier.messages import Json, Message
from supportops.errors import DestinationPaused, Permanent, Retryable, UnknownOutcome

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
PAGE_SIZE = 200
MAX_PAGES = 25
RATE_LIMIT_WAIT = timedelta(seconds=30)  # where Slack says 429 and names no time
_LONG_WAIT = timedelta(minutes=10)
_MAX_WAIT = timedelta(hours=1)

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
    }
)
_MESSAGE = frozenset(
    {
        "no_text",
        "msg_too_long",
        "msg_blocks_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "attachment_payload_limit_exceeded",
        "too_many_attachments",
        "markdown_text_conflict",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_charset",
        "invalid_form_data",
        "invalid_post_type",
        "missing_post_type",
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


class SlackUnavailable(Retryable):
    """Nothing was posted; later it may work. Also an error code that nobody has listed."""


class SlackRateLimited(SlackUnavailable):
    """Too fast: wait `after`. Says nothing about the message."""


class SlackUnknownOutcome(UnknownOutcome):
    """The message may or may not have been posted."""


class SlackCredentialError(DestinationPaused):
    """The token does not work or may not do this: nothing can be posted by anybody."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"Slack refuses the credential: {code}{detail}")
        self.code = code


class SlackRefused(Permanent):
    """This message is refused, for good."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refuses the message: {code}")
        self.code = code


class SlackChannelError(SlackRefused):
    """The channel is gone, closed, or the bot is not in it; other channels are not concerned."""


class SlackTargetGone(SlackRefused):
    """The message to change, or the thread to answer in, is not there (any more)."""


@dataclass(frozen=True)
class Posted:
    """A message's address; both parts are opaque."""

    channel: str
    ts: str


@dataclass(frozen=True)
class SeenMessage:
    """A message as history shows it: address and our metadata."""

    ts: str
    event_type: str
    payload: Mapping[str, Any]


class SlackClient:
    """Calls Slack as one bot. `base_url` is `https://slack.com/api`, or the sandbox's."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, token: SecretStr) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._token = token

    async def post(
        self, channel: str, message: Message, metadata: Json, thread_ts: str | None = None
    ) -> Posted:
        """Post to a channel, or into the thread of the message `thread_ts`."""
        body = _visible(channel, message) | {
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": metadata,
        }
        if thread_ts is not None:
            body["thread_ts"] = thread_ts
        answer = await self._send("POST", "chat.postMessage", json_body=body)
        return Posted(_text(answer, "channel") or channel, _text(answer, "ts"))

    async def update(self, posted: Posted, message: Message, metadata: Json) -> None:
        """Change a message of ours; doing it twice changes nothing."""
        body = _visible(posted.channel, message) | {"ts": posted.ts, "metadata": metadata}
        await self._send("POST", "chat.update", json_body=body)

    async def history(
        self, channel: str, since: datetime, thread_ts: str | None = None
    ) -> AsyncIterator[SeenMessage]:
        """Messages with metadata since a moment: of the channel, or of one thread (replies are not in the history).

        Raises SlackChannelError or SlackCredentialError where the bot may not read, or there is too much to read.
        """
        query = {
            "channel": channel,
            "oldest": f"{since.timestamp():.6f}",
            "include_all_metadata": "true",
            "limit": str(PAGE_SIZE),
        }
        method = "conversations.history" if thread_ts is None else "conversations.replies"
        query |= {} if thread_ts is None else {"ts": thread_ts}
        for _ in range(MAX_PAGES):
            answer = await self._send("GET", method, query=query)
            for message in _seen(answer):
                yield message
            cursor = _next_cursor(answer)
            if not cursor:
                return
            query = query | {"cursor": cursor}
        raise SlackChannelError("history_too_long")

    async def _send(
        self,
        http_method: str,
        method: str,
        *,
        json_body: Json | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        content = None
        if json_body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
            content = orjson.dumps(json_body)
        try:
            response = await self._http.request(
                http_method,
                f"{self._base_url}/{method}",
                headers=headers,
                content=content,
                params=query,
                timeout=TIMEOUT,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise SlackUnavailable(f"Slack cannot be reached: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise SlackUnknownOutcome(f"{method}: no answer from Slack: {type(error).__name__}") from error
        return read_answer(method, response)


def read_answer(method: str, response: httpx.Response) -> Json:
    """The answer's body when Slack did what it was asked; otherwise the error of the table in slack.md 1."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise SlackRateLimited(f"{method}: rate limited", _retry_after(response) or RATE_LIMIT_WAIT)
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise SlackUnknownOutcome(
            f"{method}: HTTP {response.status_code} without JSON", _retry_after(response)
        ) from error
    if not isinstance(body, dict) or response.is_server_error:
        raise SlackUnknownOutcome(f"{method}: HTTP {response.status_code}", _retry_after(response))
    if body.get("ok") is not True:
        _raise_for(
            method, str(body.get("error") or f"HTTP {response.status_code}"), body, _retry_after(response)
        )
    return body


def _raise_for(method: str, code: str, body: Json, after: timedelta | None) -> None:
    """Raise the error that stands for one of Slack's codes."""
    if code in _LIMITED:
        raise SlackRateLimited(f"{method}: {code}", after or RATE_LIMIT_WAIT)
    if code == "message_limit_exceeded":
        raise SlackRateLimited(f"{method}: {code}", after or _LONG_WAIT)
    if code in _LATER:
        raise SlackUnavailable(f"{method}: {code}", after)
    if code in _PERHAPS:
        raise SlackUnknownOutcome(f"{method}: {code}", after)
    if code in _CREDENTIAL:
        raise SlackCredentialError(code, f" (needed: {body['needed']})" if "needed" in body else "")
    if code in _GONE or "thread" in code:
        raise SlackTargetGone(code)
    if code in _CHANNEL or code.startswith("restricted_action"):
        raise SlackChannelError(code)
    if code in _MESSAGE:
        raise SlackRefused(code)
    raise SlackUnavailable(f"{method}: unknown error {code[:100]!r}", after)


def _visible(channel: str, message: Message) -> Json:
    return {"channel": channel, "text": message.text, "attachments": message.attachments}


def _retry_after(response: httpx.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    return (
        min(timedelta(seconds=int(text)), _MAX_WAIT)
        if text.isascii() and text.isdigit() and len(text) < 9
        else None
    )


def _seen(answer: Json) -> list[SeenMessage]:
    messages = answer.get("messages")
    found = []
    for message in messages if isinstance(messages, list) else []:
        metadata = message.get("metadata") if isinstance(message, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("event_payload"), dict):
            found.append(
                SeenMessage(_text(message, "ts"), _text(metadata, "event_type"), metadata["event_payload"])
            )
    return found


def _next_cursor(answer: Json) -> str:
    metadata = answer.get("response_metadata")
    return _text(metadata, "next_cursor") if isinstance(metadata, dict) else ""


def _text(mapping: Json, name: str) -> str:
    value = mapping.get(name)
    return value if isinstance(value, str) else ""
