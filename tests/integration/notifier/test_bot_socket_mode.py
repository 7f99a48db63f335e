"""Socket Mode with slack-sdk's own client, against a server that speaks Slack's side of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from pydantic import SecretStr

from notifier.bot.intake import LOOKING
from notifier.bot.socket_mode import Intake, SocketMode
from notifier.policy.breach_settings import Acknowledging
from notifier.policy.notifier import NotifierPolicy
from notifier.slack.requests import SlackRequests
from tests.integration.notifier.bot import TEAM, BotService
from tests.integration.notifier.conftest import OpenBot

TOKEN = "xapp-1-socket"  # nosec B105
COMMAND = {"team_id": TEAM, "user_id": "U0ADA", "channel_id": "C0CSAT", "text": "help", "trigger_id": "1.2.s"}
EVENT = {
    "type": "app_mention",
    "user": "U0ADA",
    "channel": "C0CSAT",
    "ts": "1.1",
    "text": "<@U0SUPPORTBOT> help",
}
MENTION = {"type": "event_callback", "team_id": TEAM, "event_id": "EvSocket", "event": EVENT}


@dataclass
class Peer:
    """Slack's side: opens one connection, sends envelopes and keeps what is acknowledged."""

    acknowledged: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    sockets: asyncio.Queue[web.WebSocketResponse] = field(default_factory=asyncio.Queue)
    url: str = ""

    async def open(self, request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        answer = {"ok": True, "url": self.url.replace("http", "ws") + "/link"}
        return web.json_response(answer if known else {"ok": False, "error": "invalid_auth"})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.sockets.put(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self.acknowledged.put(message.json())
        return socket

    async def send(self, socket: web.WebSocketResponse, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send an envelope; how it was acknowledged within three seconds."""
        envelope = {"envelope_id": f"{kind}-{payload.get('trigger_id')}", "type": kind, "payload": payload}
        await socket.send_json(envelope | {"accepts_response_payload": True})
        return await asyncio.wait_for(self.acknowledged.get(), 3)


@asynccontextmanager
async def connected(bot: BotService) -> AsyncIterator[tuple[Peer, web.WebSocketResponse]]:
    """Our component, connected to a peer."""
    peer, app = Peer(), web.Application()
    app.router.add_post("/apps.connections.open", peer.open)
    app.router.add_get("/link", peer.link)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    intake = Intake(bot.store, SlackRequests(bot.settings, bot.store.clock), Acknowledging())
    stopping = asyncio.Event()
    running = asyncio.create_task(SocketMode(peer.url, SecretStr(TOKEN), intake).run(stopping))
    try:
        yield peer, await asyncio.wait_for(peer.sockets.get(), 5)
    finally:
        stopping.set()
        await running
        await runner.cleanup()


async def test_commands_and_mentions_come_over_the_socket_and_are_taken_once(
    open_bot_service: OpenBot,
) -> None:
    bot = await open_bot_service(NotifierPolicy())
    async with connected(bot) as (peer, socket):
        first = await peer.send(socket, "slash_commands", COMMAND)
        again = await peer.send(socket, "slash_commands", COMMAND)
        mention = await peer.send(socket, "events_api", MENTION)
        other = await peer.send(socket, "slash_commands", COMMAND | {"team_id": "T0OTHER", "trigger_id": "3"})
        foreign = await peer.send(socket, "events_api", MENTION | {"team_id": "T0OTHER", "event_id": "Ev9"})
    assert first["envelope_id"] == "slash_commands-1.2.s"
    assert first["payload"]["text"] == again["payload"]["text"] == LOOKING
    assert not any("payload" in each for each in (mention, other, foreign))
    assert sorted(await bot.deliveries()) == [
        "slack.bot_answer command:1.2.s",
        "slack.bot_answer event:EvSocket",
    ]


async def test_a_closed_connection_is_made_anew(open_bot_service: OpenBot) -> None:
    bot = await open_bot_service(NotifierPolicy())
    async with connected(bot) as (peer, socket):
        await socket.close()
        second = await asyncio.wait_for(peer.sockets.get(), 10)
        assert (await peer.send(second, "slash_commands", COMMAND))["payload"]["text"] == LOOKING
