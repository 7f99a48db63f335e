"""The Support Bot as these tests run it: replicas of its HTTP side and a worker around one database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from notifier.settings import SlackRequestsSettings
from notifier.slack.requests import SlackRequests
from notifier.web import COMMANDS, EVENTS, add_bot
from supportops.contracts import Event
from supportops.delivery import Destination
from supportops.observability.metrics import Metrics
from supportops.runtime.http_server import HttpServer
from supportops.store import Store
from supportops.workers.periodic import Periodic
from tests.integration.notifier.sandbox import Outside
from tests.integration.notifier.service import Delivering
from tests.support.eventually import eventually

SECRET, TEAM = "sandbox-slack-signing-secret", "T0SANDBOX"


@dataclass
class BotService(Delivering):
    """Answers questions. `urls`: where its HTTP sides listen, while `listening`."""

    bot_store: Store
    answering: Sequence[Destination]
    poller: Periodic
    settings: SlackRequestsSettings
    outside: Outside
    urls: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.bot_store

    def destinations(self) -> Sequence[Destination]:
        return self.answering

    async def hears(self, *events: Event) -> None:
        raise AssertionError("the bot hears no events")

    @asynccontextmanager
    async def listening(self, replicas: int = 1) -> AsyncIterator[None]:
        """HTTP sides, and no worker."""
        stopping = asyncio.Event()
        servers = [HttpServer(self.app(), ("127.0.0.1", 0), Metrics()) for _ in range(replicas)]
        running = [asyncio.create_task(server.run(stopping)) for server in servers]
        for server in servers:
            await server.started.wait()
        self.urls = [f"http://127.0.0.1:{server.port}" for server in servers]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*running)

    @asynccontextmanager
    async def up(self, replicas: int = 1) -> AsyncIterator[None]:
        """HTTP sides and a worker."""
        async with self.listening(replicas), self.delivering():
            yield

    def app(self) -> FastAPI:
        app = FastAPI()
        add_bot(app, self.store, SlackRequests(self.settings, self.store.clock))
        return app

    async def command(self, text: str, *, replica: int = 0, **more: str) -> dict[str, Any]:
        """Somebody types `/support TEXT`; our answer within three seconds as Slack got it."""
        return await asyncio.to_thread(self.outside.command, self.urls[replica] + COMMANDS, text, **more)

    async def mention(self, text: str, *, replica: int = 0, **more: Any) -> dict[str, Any]:
        """Somebody mentions the bot."""
        return await asyncio.to_thread(self.outside.mention, self.urls[replica] + EVENTS, text, **more)

    async def answer_to(self, text: str, **more: Any) -> str:
        """What `/support TEXT` is answered later."""
        before = len(self.outside.responses())
        ack = await self.command(text, **more)
        assert ack["status"] == 200, ack

        async def answered() -> str:
            found = self.outside.responses()[before:]
            assert found
            return str(found[0]["text"])

        return await eventually(answered, within=15, about=f"an answer to {text!r}")
