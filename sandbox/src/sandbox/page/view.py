"""Renders the page from the world; every text of strangers is escaped by the template engine."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.world import World


def page_route(world: World) -> Route:
    async def page(_: Request) -> Response:
        return HTMLResponse(f"<h1>sandbox</h1><p>{len(world.zendesk.account.records.tickets)} tickets</p>")

    return Route("/", page)
