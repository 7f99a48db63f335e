"""Serves the page; every text of strangers is escaped by the template engine."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.page import shown
from sandbox.world import World

Endpoint = Callable[[Request], Awaitable[Response]]

# Nothing but our own script and style runs here, whatever a ticket says.
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:"


_TEMPLATES = Environment(loader=PackageLoader("sandbox.page"), autoescape=True, undefined=StrictUndefined)
"""Compiled when the page is first asked for, once in a process."""


def page_routes(world: World) -> list[Route]:
    """`/`, its moving part alone at `/page/now`, and its two files."""
    return [
        Route("/", _rendered(world, "page.html")),
        Route("/page/now", _rendered(world, "now.html")),
        Route("/page/page.js", _file("page.js", "text/javascript")),
        Route("/page/page.css", _file("page.css", "text/css")),
    ]


def _rendered(world: World, name: str) -> Endpoint:
    async def page(_: Request) -> Response:
        html = _TEMPLATES.get_template(name).render(
            tickets=shown.tickets(world),
            ticket_count=len(world.zendesk.account.records.tickets),
            channels=shown.channels(world),
            message_count=sum(len(c.messages) for c in world.workspace.channels.values()),
            objects=shown.records(world),
            record_count=sum(
                len(t.live()) for t in world.org.tables.values() if t.sobject.name.endswith("__c")
            ),
            issues=shown.issues(world),
            invocations=world.zendesk.sender.counts(),
            pending=world.zendesk.sender.pending(),
            faults=world.faults.list(),
        )
        return HTMLResponse(html, headers={"content-security-policy": _POLICY, "cache-control": "no-store"})

    return page


def _file(name: str, media_type: str) -> Endpoint:
    content = (files("sandbox.page") / "templates" / name).read_bytes()

    async def file(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return file
