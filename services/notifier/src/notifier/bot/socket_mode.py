"""Socket Mode: the same questions and buttons for a company that no request reaches from outside.

Slack is called, and sends over that connection; nothing is signed, as nobody else can speak there. slack-sdk does the
talking; it is an extra (`notifier[socket]`), imported only where it is asked for. It reconnects by itself, but calls an
address that was refused again and again, though each is good for one connection, and takes an open connection over
which Slack says nothing for a good one: so a client that is deaf for `DEAF` is given up, and another one made.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import SecretStr
from starlette.exceptions import HTTPException

from notifier.bot.intake import answer_command, ephemeral, refuse_other_events, take_event
from notifier.breaches.acknowledge import SLOW, take_clicks
from notifier.policy.breach_settings import Acknowledging
from notifier.slack.requests import SlackRequests, in_time
from supportops.config import SettingsError
from supportops.config.durations import format_duration
from supportops.observability.health import ProbeResult
from supportops.observability.log_limit import LimitedLibrary
from supportops.observability.logging import get_logger
from supportops.store import Store

if TYPE_CHECKING:
    from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

log = get_logger("notifier.bot")
# The client's own debug lines print whole payloads; while Slack is away it warns every five seconds.
_QUIET = logging.getLogger("notifier.bot.socket")
_QUIET.setLevel(logging.WARNING)
_QUIET.addFilter(LimitedLibrary(_QUIET.name))
DEAF = timedelta(minutes=1)
LOOK_EVERY = timedelta(seconds=5)
_MISSING = (
    "SLACK_APP_TOKEN: Socket Mode needs slack-sdk, which comes with the extra: supportops-notifier[socket]"
)


@dataclass(frozen=True)
class Intake:
    """What takes the payloads of Slack, whatever road they come by."""

    store: Store
    requests: SlackRequests
    acknowledging: Acknowledging

    async def take(self, kind: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is sent back at once; None: nothing is, so that Slack sends it again.

        Another workspace's is acknowledged and left, as it would come again otherwise.
        """
        try:
            if kind == "slash_commands":
                said = {key: value for key, value in payload.items() if isinstance(value, str)}
                return ephemeral(await self._command(said))
            if kind == "events_api":
                refuse_other_events(self.requests, payload)
                return {} if await take_event(self.store, self.requests, payload) else None
            if kind == "interactive":
                clicks = self.requests.clicks_in(payload)
                if not await in_time(take_clicks(self.store, self.acknowledging, self.requests, clicks)):
                    log.warning("bot.not_taken", kind=kind, reason=SLOW)
                    return None
        except HTTPException as error:
            log.warning("bot.refused", kind=kind, reason=error.detail)
        return {}

    async def _command(self, fields: dict[str, str]) -> str:
        self.requests.refuse_other_teams(fields.get("team_id"))
        return await answer_command(self.store, self.requests, fields, repr(sorted(fields.items())).encode())


class Connection(Protocol):
    """What is used of slack-sdk's client, whose own methods have no types."""

    message_listeners: list[Any]
    """Called with the client, each message, and its text."""

    async def connect(self) -> None:
        """Connect, trying again until it is closed."""

    async def close(self) -> None:
        """Close the connection and stay away."""

    async def is_connected(self) -> bool:
        """Whether the connection is open, and pings are answered."""

    async def session_id(self) -> str:
        """Names the connection; another one after each reconnection."""


class Hearing:
    """Whether Slack is at the other end of a client's connection: it has greeted, and pings are answered."""

    def __init__(self, client: Connection) -> None:
        self._client, self._greeted = client, ""
        client.message_listeners.append(self._hear)

    async def _hear(self, _client: object, message: Mapping[str, Any], _text: str) -> None:
        if message.get("type") == "hello":
            self._greeted = await self._client.session_id()

    async def is_good(self) -> bool:
        """Whether it is so now."""
        return await self._client.is_connected() and await self._client.session_id() == self._greeted


class SocketMode:
    """The connection as a component of the worker. Each replica has one; Slack sends each payload to one of them."""

    name = "slack_socket"

    def __init__(self, base_url: str, token: SecretStr, intake: Intake) -> None:
        self._base_url, self._token, self._intake = base_url, token, intake
        self._heard_at = time.monotonic()
        demand_the_extra()

    async def run(self, stopping: asyncio.Event) -> None:
        """Connect, and take what comes, until `stopping`; for as long as Slack is away it is tried again."""
        while not stopping.is_set():
            client = self.client()
            hearing = Hearing(client)
            connecting = asyncio.create_task(client.connect(), name="slack_socket.connect")
            try:
                await self._until_deaf(hearing, stopping)
            finally:
                connecting.cancel()
                await client.close()
            if not stopping.is_set():
                log.error("bot.socket_deaf", seconds=DEAF.total_seconds(), remedy="notifier doctor")

    def silent_for(self) -> timedelta:
        """How long Slack has not been heard."""
        return timedelta(seconds=time.monotonic() - self._heard_at)

    async def _until_deaf(self, hearing: Hearing, stopping: asyncio.Event) -> None:
        """Wait for `stopping`, or until nobody was heard over this client for `DEAF`."""
        since = time.monotonic()
        while time.monotonic() - since < DEAF.total_seconds():
            try:
                async with asyncio.timeout(LOOK_EVERY.total_seconds()):
                    await stopping.wait()
                return
            except TimeoutError:
                if await hearing.is_good():
                    since = self._heard_at = time.monotonic()

    def client(self) -> Connection:
        """Slack's client, not connected yet; it calls `_take` with what comes."""
        from slack_sdk.socket_mode.aiohttp import SocketModeClient  # the extra
        from slack_sdk.web.async_client import AsyncWebClient

        web = AsyncWebClient(base_url=f"{self._base_url}/", logger=_QUIET)
        client = SocketModeClient(self._token.get_secret_value(), _QUIET, web)
        web.proxy = client.proxy = None  # no proxies of the environment, like all our clients
        client.socket_mode_request_listeners.append(self._take)
        return cast("Connection", client)

    async def _take(self, client: "AsyncBaseSocketModeClient", request: "SocketModeRequest") -> None:
        from slack_sdk.socket_mode.response import SocketModeResponse  # the extra

        said = await self._intake.take(request.type, request.payload)
        if said is not None:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, said or None))


class SocketProbe:
    """Content while Slack is heard over the socket; operators hear of it where it is not (`notices.alerts`)."""

    name = SocketMode.name

    def __init__(self, socket: SocketMode) -> None:
        self._socket = socket

    async def __call__(self) -> ProbeResult:
        silent = self._socket.silent_for()
        if silent < 2 * DEAF:
            return ProbeResult(self.name, ok=True, detail="Slack is heard")
        words = f"Slack is not heard for {format_duration(timedelta(seconds=round(silent.total_seconds())))}"
        return ProbeResult(
            self.name, ok=False, detail=f"{words}: commands, mentions and buttons do not arrive"
        )


def demand_the_extra() -> None:
    """SettingsError where slack-sdk, or what it connects with, is not installed."""
    try:
        import slack_sdk.socket_mode.aiohttp  # noqa: F401  # asked whether it is there
    except ImportError as error:
        raise SettingsError([_MISSING]) from error
