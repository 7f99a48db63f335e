"""What Slack sends to an app: commands, mentions and pressed buttons, signed (docs/vendors/slack.md#requests); and the
addresses at which a command may be answered later.
"""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.clients import tls
from sandbox.clock import NANOS
from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.slack.mentions import mentions_of
from sandbox.slack.workspace import APP_ID, BOT_USER, TEAM_ID, Workspace
from sandbox.web import Json, Reply

FORM = "application/x-www-form-urlencoded"

PATIENCE = 3.0  # seconds
USES = 5
LIFE = 30 * 60 * NANOS


class AppRequests:
    """Sends what people ask the app, and takes its later answers."""

    def __init__(self, settings: Settings, workspace: Workspace, ledger: Ledger) -> None:
        self._settings, self._space, self._ledger = settings, workspace, ledger
        self._used: dict[str, int] = {}
        self._made: dict[str, int] = {}

    def control_routes(self) -> list[Route]:
        """`POST /slack/command`, `/slack/mention` and `/slack/press`: `url` of the app; `text`, `user`, `channel`, …"""
        return [
            Route("/slack/command", self._command, methods=["POST"]),
            Route("/slack/mention", self._mention, methods=["POST"]),
            Route("/slack/press", self._press, methods=["POST"]),
        ]

    def routes(self) -> list[Route]:
        """Where commands are answered later; no token is needed there."""
        return [Route("/{team}/{key}", self._answered, methods=["POST"])]

    async def _command(self, request: Request) -> Response:
        given: Json = orjson.loads(await request.body())
        if (lacking := self._unheard("commands")) is not None:
            return lacking
        url = given.pop("url")
        fields = self.command(**{key: str(value) for key, value in given.items()})
        key = fields["response_url"].rpartition("/")[2]
        return await self._send(url, urlencode(fields).encode(), FORM, key=key)

    async def _mention(self, request: Request) -> Response:
        given: Json = orjson.loads(await request.body())
        if (lacking := self._unheard("app_mentions:read")) is not None:
            return lacking
        url = given.pop("url")
        return await self._send(url, orjson.dumps(self.mention(**given)), "application/json")

    def _unheard(self, scope: str) -> Response | None:
        """403 where the app is told nothing, because its token lacks the scope."""
        if scope in self._space.scopes:
            return None
        return Reply(403, {"error": "missing_scope", "needed": scope}).response()

    async def _press(self, request: Request) -> Response:
        """404 where there is no such message, or no button on it."""
        given: Json = orjson.loads(await request.body())
        url = given.pop("url")
        pressed = self.pressed(**{key: str(value) for key, value in given.items()})
        if pressed is None:
            return Reply(404, {"error": "no such button"}).response()
        return await self._send(url, urlencode({"payload": orjson.dumps(pressed)}).encode(), FORM)

    def pressed(
        self, ts: str = "", action_id: str = "", user: str = "U0ADA", channel: str = "C0SUPPORTOPS"
    ) -> Json | None:
        """What Slack tells of a button of the message `ts` that is pressed; `action_id` empty: its first one."""
        known = self._space.channels.get(channel)
        message = known.by_ts.get(ts) if known is not None else None
        buttons = [] if message is None else _buttons(message)
        button = next((each for each in buttons if action_id in ("", each["action_id"])), None)
        if known is None or button is None:
            return None
        shown = {key: value for key, value in (message or {}).items() if value is not None}
        body: Json = {"type": "block_actions", "token": "legacy", "api_app_id": APP_ID}  # nosec B105 # as below
        body |= {"team": {"id": TEAM_ID, "domain": "sandbox"}, "channel": {"id": channel, "name": known.name}}
        body |= {"user": {"id": user, "team_id": TEAM_ID, "username": "somebody"}, "message": shown}
        body |= {"container": {"type": "message_attachment", "message_ts": ts, "channel_id": channel}}
        moment = self._space.next_ts()
        return body | {"trigger_id": f"{moment}.x", "actions": [button | {"action_ts": moment}]}

    def command(
        self, text: str = "", user: str = "U0ADA", channel: str = "C0SUPPORTOPS", **more: str
    ) -> Json:
        """The fields of a slash command; `more` replaces any of them."""
        key = self._space.next_ts().replace(".", "")
        self._made[key] = self._space.clock.now_ns()
        fields = {"token": "legacy", "team_id": TEAM_ID, "team_domain": "sandbox", "api_app_id": APP_ID}  # nosec B105 # Slack's former token, of the stand-in
        fields |= {
            "channel_id": channel,
            "channel_name": "somewhere",
            "user_id": user,
            "user_name": "somebody",
        }
        fields |= {
            "command": "/support",
            "text": text,
            "trigger_id": f"{key}.1.x",
            "is_enterprise_install": "false",
        }
        return fields | {"response_url": f"{self._settings.public_url}/slack/commands/{TEAM_ID}/{key}"} | more

    def mention(
        self, text: str = "", user: str = "U0ADA", channel: str = "C0SUPPORTOPS", **more: Any
    ) -> Json:
        """The body of an `app_mention`; `event` and anything else replaces parts of it."""
        ts = self._space.next_ts()
        event = {
            "type": "app_mention",
            "user": user,
            "text": f"<@{BOT_USER}> {_as_sent(text)}",
            "ts": ts,
            "team": TEAM_ID,
        }
        event |= {"channel": channel, "event_ts": ts} | more.pop("event", {})
        known = self._space.channels.get(channel)
        if known is not None:  # what somebody said stands in the channel, so that it can be answered below
            said = {"type": "message", "user": user, "text": event["text"], "ts": ts}
            known.messages.append(said)
            known.by_ts[ts] = said
        body: Json = {"token": "legacy", "team_id": TEAM_ID, "api_app_id": APP_ID, "type": "event_callback"}  # nosec B105 # as above
        body |= {"event_id": f"Ev{ts.replace('.', '')}", "event_time": int(float(ts)), "event": event}
        body |= {"is_ext_shared_channel": known is not None and known.ext_shared}
        return body | {"authorizations": [{"team_id": TEAM_ID, "user_id": BOT_USER, "is_bot": True}]} | more

    def signed(self, body: bytes, kind: str) -> dict[str, str]:
        """The headers beside a body that leaves now."""
        stamp = str(self._space.clock.now_ns() // NANOS)
        key, base = self._settings.slack_signing_key.encode(), f"v0:{stamp}:".encode() + body
        digest = hmac.new(key, base, hashlib.sha256).hexdigest()
        return {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}

    async def _send(self, url: str, body: bytes, kind: str, **known: str) -> Response:
        """The app's answer within three seconds, and what is `known`; 504 `operation_timeout` without one."""
        import httpx  # few sandboxes are asked for this

        begun = self._space.clock.now_ns()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, verify=tls()) as client:
                answer = await client.post(url, content=body, headers=self.signed(body, kind))
        except httpx.HTTPError as error:
            self._ledger.add("slack.ack", status=0, text=type(error).__name__)
            return Reply(504, {"error": "operation_timeout"}).response()
        took = (self._space.clock.now_ns() - begun) / NANOS
        self._ledger.add("slack.ack", status=answer.status_code, text=answer.text[:500], seconds=took)
        told = {"status": answer.status_code, "text": answer.text, "seconds": took}
        return Reply(200, told | known).response()

    async def _answered(self, request: Request) -> Response:
        key = str(request.path_params["key"])
        made = self._made.get(key)
        if made is None or self._space.clock.now_ns() - made > LIFE:
            return Response("expired_url", 404)
        if self._used.get(key, 0) >= USES:
            return Response("used_url", 404)
        message: Json = orjson.loads(await request.body())
        if not message.get("text"):
            return Response("no_text", 400)
        self._used[key] = self._used.get(key, 0) + 1
        kept = {name: message.get(name) for name in ("text", "response_type", "replace_original")}
        self._ledger.add("slack.response", key=key, mentions=mentions_of(message), **kept)
        return Response("ok")


def _as_sent(typed: str) -> str:
    """What Slack makes of what somebody types: three characters are entities."""
    return typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _buttons(message: Json) -> list[Json]:
    """The buttons of a message, at its top and in its attachments."""
    blocks = [*(message.get("blocks") or ())]
    for attachment in message.get("attachments") or ():
        blocks += attachment.get("blocks") or ()
    elements = [each for block in blocks if block.get("type") == "actions" for each in block["elements"]]
    return [each for each in elements if each.get("type") == "button"]
