"""The HTTP component on a real socket: listens, drains what it has begun, says why it cannot listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.clients import tls
from supportops.config import SideSettings
from supportops.observability.metrics import Metrics
from supportops.runtime.http_limits import HttpLimits
from supportops.runtime.http_server import CannotListen, HttpServer
from supportops.runtime.side_server import side_server
from tests.support.eventually import eventually
from tests.support.processes import answers


class Gate:
    """An app whose answer waits until the test opens it."""

    def __init__(self) -> None:
        self.entered, self.opened = asyncio.Event(), asyncio.Event()
        self.app = Starlette(routes=[Route("/", self.answer), Route("/broken", self.broken)])

    async def answer(self, _request: Request) -> Response:
        self.entered.set()
        await self.opened.wait()
        return PlainTextResponse("done")

    async def broken(self, _request: Request) -> Response:
        raise RuntimeError("a bug of ours")


@asynccontextmanager
async def _running(server: HttpServer) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    running = asyncio.create_task(server.run(stopping))
    try:
        await asyncio.wait(
            (running, asyncio.create_task(server.started.wait())), return_when="FIRST_COMPLETED"
        )
        yield stopping
    finally:
        stopping.set()
        await running


async def test_serves_on_any_free_port() -> None:
    server = side_server(SideSettings(host="127.0.0.1", port=0), [], Metrics())
    async with _running(server), httpx.AsyncClient(verify=tls()) as client:
        answer = await client.get(f"http://127.0.0.1:{server.port}/healthz")
        assert answer.status_code == 200
        assert "server" not in answer.headers


async def test_a_request_that_has_begun_is_finished() -> None:
    gate = Gate()
    server = HttpServer(gate.app, ("127.0.0.1", 0), Metrics())
    async with _running(server) as stopping, httpx.AsyncClient(verify=tls()) as client:
        asking = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/"))
        await gate.entered.wait()
        stopping.set()
        await eventually(lambda: not answers(server.port), about="no new connections")
        gate.opened.set()
        assert (await asking).text == "done"


async def test_a_request_that_hangs_does_not_hold_the_stop() -> None:
    gate = Gate()
    server = HttpServer(gate.app, ("127.0.0.1", 0), Metrics(), limits=HttpLimits(drain=1.0))
    async with httpx.AsyncClient(verify=tls()) as client:
        async with _running(server):
            asking = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/"))
            await gate.entered.wait()
        (outcome,) = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(outcome, httpx.TransportError | httpx.Response)
    assert isinstance(outcome, httpx.TransportError) or outcome.status_code == 500


async def test_an_idle_connection_does_not_hold_the_stop() -> None:
    gate = Gate()
    gate.opened.set()
    server = HttpServer(gate.app, ("127.0.0.1", 0), Metrics(), limits=HttpLimits(drain=30.0))
    async with httpx.AsyncClient(verify=tls()) as client, asyncio.timeout(10), _running(server):
        await client.get(f"http://127.0.0.1:{server.port}/")


async def test_a_taken_port_is_said_plainly() -> None:
    first = HttpServer(Gate().app, ("127.0.0.1", 0), Metrics())
    async with _running(first):
        second = HttpServer(Gate().app, ("127.0.0.1", first.port), Metrics())
        with pytest.raises(
            CannotListen, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: Address already in use"
        ):
            await second.run(asyncio.Event())


async def test_being_cancelled_closes_the_port() -> None:
    server = HttpServer(Gate().app, ("127.0.0.1", 0), Metrics())
    running = asyncio.create_task(server.run(asyncio.Event()))
    await server.started.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await eventually(lambda: not answers(server.port))
