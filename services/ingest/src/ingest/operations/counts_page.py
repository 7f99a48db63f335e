"""The operators' counts: how many webhooks there are, by disposition and type, as a page and as JSON."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, StrictUndefined
from pydantic import SecretStr

from ingest.webhooks import repository
from ingest.webhooks.endpoint import Receive, Scope, Send, WebhookEndpoint
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import PATHS
from supportops.store import Store

_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Webhooks by disposition and type</title>
<h1>Webhooks by disposition and type</h1>
{% if away %}<p><strong>The database is away: webhooks wait on the local disk.</strong></p>{% endif %}
<table><thead><tr><th scope="col">disposition<th scope="col">type<th scope="col">webhooks</tr></thead>
<tbody>{% for row in rows %}
<tr><td>{{ row.disposition }}<td>{{ row.kind }}<td>{{ row.webhooks }}</tr>{% endfor %}
</tbody></table></html>
"""
)


_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    store: Store, intake: Intake, hook: WebhookEndpoint, token: SecretStr | None
) -> Callable[..., Awaitable[None]]:
    """The hook, and behind it the counts as a page (`/counts`) and as JSON (`/api/counts`)."""
    pages = FastAPI(title="ingest", docs_url=None, redoc_url=None, openapi_url=None)

    @pages.get("/counts")
    async def counts_page(request: Request) -> Response:
        _demand(request, token)
        async with store.reading() as conn:
            rows = await repository.counts(conn)
        return HTMLResponse(_PAGE.render(rows=rows, away=intake.away), headers=_PAGE_HEADERS)

    @pages.get("/api/counts")
    async def counts(request: Request) -> list[dict[str, Any]]:
        _demand(request, token)
        async with store.reading() as conn:
            return await repository.counts(conn)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS:
            await hook(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


def _demand(request: Request, token: SecretStr | None) -> None:
    """The operators' credential: as a bearer token, or as the password of any user name (for browsers)."""
    if token is None:
        raise HTTPException(404)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[2]
        except binascii.Error:
            given = ""
    wanted = token.get_secret_value().encode()
    if scheme.lower() not in ("basic", "bearer") or not hmac.compare_digest(given.encode(), wanted):
        raise HTTPException(401, "a credential is needed", {"WWW-Authenticate": 'Basic realm="ingest"'})
