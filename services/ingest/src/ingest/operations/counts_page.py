"""The operators' counts: how many webhooks there are, by disposition and type, as a page and as JSON."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI, Request, Response

from ingest.webhooks import repository
from ingest.webhooks.endpoint import Receive, Scope, Send, WebhookEndpoint
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import PATHS
from supportops.config import HttpSettings
from supportops.store import Store
from supportops.web.app import operators_app
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout

START = "/counts"


def create_app(
    store: Store,
    intake: Intake,
    endpoint: WebhookEndpoint,
    auth: OperatorAuth,
    http: HttpSettings | None = None,
) -> Callable[..., Awaitable[None]]:
    """The webhook endpoint, and behind it the counts as a page (`/counts`) and as JSON (`/api/counts`)."""
    pages = operators_app(auth, http)
    _mount_counts(pages, auth, store, intake)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS:
            await endpoint(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


def _mount_counts(app: FastAPI, auth: OperatorAuth, store: Store, intake: Intake) -> None:
    layout = PageLayout("ingest.operations", auth.site)

    @guarded_page(app, auth, START)
    async def counts_page(request: Request) -> Response:
        async with store.reading() as conn:
            rows = await repository.counts(conn)
        return layout.page(request, "counts.html", rows=rows, away=intake.away)

    @app.get("/api/counts", dependencies=[Depends(auth.api())])
    async def counts() -> list[dict[str, Any]]:
        async with store.reading() as conn:
            return await repository.counts(conn)
