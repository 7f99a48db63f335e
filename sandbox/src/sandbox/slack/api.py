"""The Web API methods that a notifier needs; everything but a rate limit is HTTP 200 (docs/vendors/slack.md)."""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.routing import Route

from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.slack.mentions import mentions_of
from sandbox.slack.rules import Refused, check_message
from sandbox.slack.scopes import check_scopes
from sandbox.slack.workspace import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Channel, Workspace
from sandbox.web import BadBody, Call, Handler, Json, Reply, routes

Method = Callable[[Json], Json]
_CONTENT = (
    "text",
    "blocks",
    "attachments",
    "markdown_text",
    "metadata",
    "username",
    "icon_emoji",
    "icon_url",
)
_PARSED = ("blocks", "attachments", "metadata")  # arrive as JSON text in forms and query strings


class SlackApi:
    def __init__(self, settings: Settings, workspace: Workspace, ledger: Ledger) -> None:
        self._settings = settings
        self._space = workspace
        self._ledger = ledger

    def routes(self) -> list[Route]:
        methods: dict[str, Method] = {
            "auth.test": self.auth_test,
            "chat.postMessage": self.post_message,
            "chat.update": self.update,
            "chat.postEphemeral": self.post_ephemeral,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
            "conversations.list": self.list_channels,
            "conversations.info": self.channel_info,
            "chat.getPermalink": self.permalink,
            "users.lookupByEmail": self.lookup_by_email,
            "users.info": self.user_info,
            "usergroups.users.list": self.group_members,
        }
        rows = [
            (verb, f"/{name}", self._handler(name, method))
            for name, method in methods.items()
            for verb in ("POST", "GET")
        ]
        rows += [(verb, "/{name}", _unknown) for verb in ("POST", "GET")]
        return routes(rows, self._middleware)

    def _middleware(self, call: Call, handler: Handler) -> Reply:
        try:
            given = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
            given = given or str(arguments(call).get("token", ""))
            if not given:
                raise Refused("not_authed")
            if given != self._settings.slack_key:
                raise Refused("invalid_auth")
            reply = handler(call)
            reply.headers["x-oauth-scopes"] = ",".join(self._space.scopes)
            return reply
        except Refused as refused:
            return Reply(200, {"ok": False, "error": str(refused)} | refused.more)
        except BadBody:
            return Reply(200, {"ok": False, "error": "invalid_json"})
        except _Limited as limited:
            headers = {"retry-after": str(limited.retry_after)}
            return Reply(429, {"ok": False, "error": "ratelimited"}, headers)

    def _handler(self, name: str, method: Method) -> Handler:
        def handle(call: Call) -> Reply:
            given = arguments(call)
            check_scopes(self._space, name, given)
            return Reply(200, {"ok": True} | method(given))

        return handle

    # --- methods ---

    def auth_test(self, _: Json) -> Json:
        return {"url": self._settings.public_url, "team": "Sandbox", "team_id": TEAM_ID} | {
            "user": "supportbot",
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
        }

    def post_message(self, given: Json) -> Json:
        channel = self._channel(given)
        if channel.archived:
            raise Refused("is_archived")
        if not channel.member and (channel.private or "chat:write.public" not in self._space.scopes):
            raise Refused("not_in_channel")
        warnings = check_message(given)
        thread = given.get("thread_ts")
        if (
            str(thread) in channel.deleted
        ):  # what was to answer a deleted message appears in the channel, as a success
            given = {key: value for key, value in given.items() if key != "thread_ts"}
        elif thread is not None and str(thread) not in channel.by_ts:
            raise Refused("cannot_reply_to_message")
        if (wait := self._space.pace.take(channel.id)) is not None:
            raise _Limited(wait)
        message = self._keep(channel, given)
        self._note("slack.message", channel, message, given)
        answer: Json = {"channel": channel.id, "ts": message["ts"], "message": _shown(message, metadata=True)}
        return answer | ({"response_metadata": {"warnings": warnings}} if warnings else {})

    def update(self, given: Json) -> Json:
        """Keeps the previous metadata when the field is absent, clears it with `{}`."""
        channel = self._channel(given)
        message = channel.by_ts.get(str(given.get("ts", "")))
        if message is None:
            raise Refused("message_not_found")
        check_message(given, update=True)
        for key in ("text", "blocks", "attachments"):
            if key in given:
                message[key] = given[key]
        if "metadata" in given:
            message["metadata"] = given["metadata"] or None
        message["edited"] = {"user": BOT_USER, "ts": self._space.next_ts()}
        self._note("slack.update", channel, message, given)
        shown = _shown(message, metadata=True)
        return {"channel": channel.id, "ts": message["ts"], "text": message.get("text", ""), "message": shown}

    def post_ephemeral(self, given: Json) -> Json:
        """Shown to one person, and kept by nobody."""
        channel = self._channel(given)
        user = str(given.get("user", ""))
        if user not in self._space.people:
            raise Refused("user_not_in_channel")
        check_message(given)
        ts = self._space.next_ts()
        self._ledger.add("slack.ephemeral", channel=channel.id, user=user, text=given.get("text", ""), ts=ts)
        return {"message_ts": ts}

    def history(self, given: Json) -> Json:
        """Newest first, top-level messages only; metadata payloads only with `include_all_metadata`."""
        channel = self._readable(given)
        top = [m for m in channel.messages if m.get("thread_ts") in (None, m["ts"])]
        return _page(_between(top, given)[::-1], given, default=100)

    def replies(self, given: Json) -> Json:
        channel = self._readable(given)
        parent = str(given.get("ts", ""))
        if parent not in channel.by_ts:
            raise Refused("thread_not_found")
        thread = [m for m in channel.messages if m["ts"] == parent or m.get("thread_ts") == parent]
        return _page(_between(thread, given), given, default=1000)

    def channel_info(self, given: Json) -> Json:
        """By id alone; whether a channel is private or shared may change, its id does not."""
        channel = self._channel(given)
        if channel.id != given.get("channel") or (channel.private and not channel.member):
            raise Refused("channel_not_found")
        flags = {"is_private": channel.private, "is_ext_shared": channel.ext_shared}
        flags |= {"is_archived": channel.archived, "is_member": channel.member}
        return {"channel": {"id": channel.id, "name": channel.name} | flags}

    def permalink(self, given: Json) -> Json:
        channel = self._channel(given)
        ts = str(given.get("message_ts", ""))
        if ts not in channel.by_ts:
            raise Refused("message_not_found")
        shown = f"https://sandbox.slack.example/archives/{channel.id}/p{ts.replace('.', '')}"
        return {"channel": channel.id, "permalink": shown}

    def list_channels(self, given: Json) -> Json:
        """Public channels; posting takes their names, reading does not."""
        shown = [
            {"id": each.id, "name": each.name, "is_archived": each.archived, "is_member": each.member}
            for each in self._space.channels.values()
            if not each.private
        ]
        start = int(str(given.get("cursor") or "0").removeprefix("next:") or 0)
        limit = max(1, min(999, int(given.get("limit") or 100)))
        cursor = f"next:{start + limit}" if start + limit < len(shown) else ""
        return {"channels": shown[start : start + limit], "response_metadata": {"next_cursor": cursor}}

    def lookup_by_email(self, given: Json) -> Json:
        wanted = str(given.get("email", "")).casefold()
        for person in self._space.people.values():
            if person.email.casefold() == wanted:
                profile = {"email": person.email, "real_name": person.name}
                user = {
                    "id": person.id,
                    "name": person.name,
                    "deleted": person.deleted,
                    "is_bot": person.is_bot,
                }
                return {"user": user | {"team_id": TEAM_ID, "profile": profile}}
        raise Refused("users_not_found")

    def user_info(self, given: Json) -> Json:
        """People of other workspaces are shown as strangers; e-mail addresses need a scope of their own."""
        person = self._space.people.get(str(given.get("user", "")))
        if person is None:
            raise Refused("user_not_found")
        profile = {"real_name": person.name}
        if "users:read.email" in self._space.scopes:
            profile["email"] = person.email
        user = {"id": person.id, "team_id": person.team, "name": person.name, "deleted": person.deleted}
        user |= {"is_bot": person.is_bot, "is_restricted": person.guest, "is_ultra_restricted": False}
        return {"user": user | {"is_stranger": person.team != TEAM_ID, "profile": profile}}

    def group_members(self, given: Json) -> Json:
        group = str(given.get("usergroup", ""))
        found = [person.id for person in self._space.people.values() if group in person.groups]
        if not found:
            raise Refused("no_such_subteam")
        return {"users": found}

    # --- inside ---

    def _channel(self, given: Json) -> Channel:
        found = self._space.channel(str(given.get("channel", "")))
        if found is None:
            raise Refused("channel_not_found")
        return found

    def _readable(self, given: Json) -> Channel:
        channel = self._channel(given)
        if channel.id != given.get("channel"):  # a name: only posting takes one
            raise Refused("channel_not_found")
        if not channel.member:
            raise Refused("not_in_channel")
        return channel

    def _keep(self, channel: Channel, given: Json) -> Json:
        message: Json = {key: given[key] for key in _CONTENT if given.get(key) is not None}
        message |= {"type": "message", "user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "team": TEAM_ID}
        message["ts"] = self._space.next_ts()
        if given.get("thread_ts"):
            parent = channel.by_ts[str(given["thread_ts"])]
            message["thread_ts"] = parent["ts"]
            parent["thread_ts"] = parent["ts"]
            parent["reply_count"] = parent.get("reply_count", 0) + 1
        channel.messages.append(message)
        channel.by_ts[message["ts"]] = message
        return message

    def _note(self, kind: str, channel: Channel, message: Json, given: Json) -> None:
        metadata = message.get("metadata") or {}
        self._ledger.add(
            kind,
            channel=channel.id,
            channel_name=channel.name,
            ts=message["ts"],
            thread_ts=message.get("thread_ts"),
            event_type=metadata.get("event_type"),
            payload=metadata.get("event_payload"),
            text=message.get("text", ""),
            attachments=message.get("attachments"),
            blocks=message.get("blocks"),
            mentions=mentions_of(given),
        )


class _Limited(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"wait {retry_after} s")
        self.retry_after = retry_after


def arguments(call: Call) -> Json:
    """Query string, then form or JSON body: Slack takes all three."""
    given: Json = dict(call.query)
    if call.headers.get("content-type", "").startswith("application/json"):
        return given | call.json()
    given |= call.form()
    for key in _PARSED:
        if isinstance(given.get(key), str):
            given[key] = _parsed(key, given[key])
    return given


def _parsed(key: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused("invalid_metadata_format" if key == "metadata" else f"invalid_{key}") from error


def _unknown(_: Call) -> Reply:
    raise Refused("unknown_method")


def _truth(value: Any) -> bool:
    return str(value).lower() in ("1", "true")


def _between(messages: list[Json], given: Json) -> list[Json]:
    oldest, latest = str(given.get("oldest") or "0"), str(given.get("latest") or "9" * 12)
    inclusive = _truth(given.get("inclusive", False))

    def inside(ts: str) -> bool:
        at = float(ts)
        if inclusive:
            return float(oldest) <= at <= float(latest)
        return float(oldest) < at < float(latest)

    return [message for message in messages if inside(message["ts"])]


def _page(messages: list[Json], given: Json, *, default: int) -> Json:
    limit = max(1, min(999, int(given.get("limit") or default)))
    start = int(str(given.get("cursor") or "0").removeprefix("next:") or 0)
    whole = _truth(given.get("include_all_metadata", False))
    more = start + limit < len(messages)
    shown = [_shown(message, metadata=whole) for message in messages[start : start + limit]]
    cursor = f"next:{start + limit}" if more else ""
    return {"messages": shown, "has_more": more, "response_metadata": {"next_cursor": cursor}}


def _shown(message: Json, *, metadata: bool) -> Json:
    """Without `include_all_metadata` only the `event_type` comes back."""
    held = message.get("metadata")
    if held is None or metadata:
        return {key: value for key, value in message.items() if value is not None}
    return message | {"metadata": {"event_type": held.get("event_type")}}
