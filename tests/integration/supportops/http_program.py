"""A server of ours as its own process, for attacks on it: `http_program.py '{"connections": 40}'` prints its port."""

import asyncio
import json
import sys
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from supportops.config import LogSettings
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime.http_limits import HttpLimits
from supportops.runtime.http_server import HttpServer
from supportops.runtime.supervisor import run

calls = 0


async def answer(request: Request) -> Response:
    """The length of the body, and how often anybody came here."""
    global calls
    calls += 1
    body = await request.body()
    return PlainTextResponse(f"{len(body)} bytes, call {calls}, {sorted(request.headers)}")


async def early(_request: Request) -> Response:
    """Answers without reading what was sent."""
    return PlainTextResponse("no need to read that")


async def large(_request: Request) -> Response:
    """More than the sockets between us can hold."""
    return PlainTextResponse("x" * 32 * 1024 * 1024)


async def main(limits: dict[str, Any]) -> int:
    """Serve until killed."""
    configure(LogSettings(level="info", format="json"), service="attacked")
    app = Starlette(
        routes=[
            Route("/", answer, methods=["GET", "POST"]),
            Route("/early", early, methods=["POST"]),
            Route("/large", large),
        ]
    )
    server = HttpServer(app, ("127.0.0.1", 0), Metrics(), limits=HttpLimits(**limits))
    serving = asyncio.create_task(server.run(asyncio.Event()))
    await server.started.wait()
    sys.stdout.write(f"port {server.port}\n")
    sys.stdout.flush()
    await serving
    return 0


if __name__ == "__main__":
    sys.exit(run(main(json.loads(sys.argv[1]))))
