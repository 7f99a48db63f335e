"""The ASGI application: one process, one port, a vendor per first path segment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.clock import Clock, SystemClock
from sandbox.control.api import ControlApi
from sandbox.faults import FaultMiddleware
from sandbox.page.view import page_routes
from sandbox.settings import Settings
from sandbox.world import World
from sandbox.zendesk.poster import Poster
from sandbox.zendesk.sender import Post


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, post: Post | None = None
) -> tuple[ASGIApp, World]:
    """The application and the world behind it. `post` is how webhooks leave; by default over real connections."""
    own = Poster()
    world = World(settings or Settings(), clock or SystemClock(), post or own)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await world.zendesk.sender.stop()
        own.close()

    inner = Starlette(
        routes=[
            Route("/healthz", _health),
            *page_routes(world),
            Mount("/control", routes=ControlApi(world).routes()),
            Mount("/zendesk/api/v2", routes=world.zendesk.routes()),
            Mount("/zendesk/oauth", routes=world.zendesk.oauth.routes()),
            Mount("/salesforce", routes=world.salesforce.routes()),
            Mount("/slack/api", routes=world.slack.routes()),
            Mount("/slack/commands", routes=world.app_requests.routes()),
            Mount("/gitlab/api/v4", routes=world.gitlab.routes()),
        ],
        lifespan=lifespan,
    )
    plain = _PlainPaths(inner)
    return FaultMiddleware(plain, world.faults, world.salesforce.sessions.expire), world


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _PlainPaths:
    """`.json` at the end of a Zendesk path and a slash at the end of any path mean nothing.

    GitLab's paths stay percent-encoded: `group%2Fproject` is one segment there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/gitlab/"):
                path = scope["path"] = scope["raw_path"].partition(b"?")[0].decode("ascii")
            if path.endswith(".json") and path.startswith("/zendesk/"):
                scope["path"] = path[:-5]
            elif len(path) > 1 and path.endswith("/"):
                scope["path"] = path.rstrip("/")
        await self._app(scope, receive, send)
