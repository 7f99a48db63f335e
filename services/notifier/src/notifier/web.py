"""The notifier's HTTP side, put together: the operators' pages, and what Slack asks for."""

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy import func, select

from notifier import tables
from notifier.bot.intake import add_bot
from notifier.breaches.acknowledge import SLOW, take_clicks
from notifier.destinations import POSTS, ROUTING, UPDATES
from notifier.operations.pages import FIGURES, NOTICES, mount_pages
from notifier.policy.breach_settings import Acknowledging
from notifier.slack.requests import SlackRequests, in_time
from supportops.config import HttpSettings
from supportops.store import Store
from supportops.web.app import operators_app
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout

START = NOTICES
INTERACTIONS = "/slack/interactions"


def create_app(
    store: Store, auth: OperatorAuth, http: HttpSettings | None = None, slack: "SlackSide | None" = None
) -> FastAPI:
    """The pages of notices, routing and tickets, and how many messages and deliveries are in which state: as a page
    (`/figures`) and as JSON (`/api/figures`).

    `slack`: takes the buttons of messages and what the bot is asked; None: nobody does.
    """
    app = operators_app(auth, http)
    if slack is not None:
        add_interactions(app, store, slack)
        add_bot(app, store, slack.requests)
    mount_pages(app, store, auth)
    layout = PageLayout("notifier", auth.site)

    @guarded_page(app, auth, FIGURES)
    async def figures_page(request: Request) -> Response:
        return layout.page(request, "figures.html", **await count(store))

    @app.get("/api/figures", dependencies=[Depends(auth.api())])
    async def figures() -> dict[str, Any]:
        return {"service": "notifier"} | await count(store)

    return app


@dataclass(frozen=True)
class SlackSide:
    """What Slack's requests are read with, and the rules that answer them."""

    requests: SlackRequests
    acknowledging: Acknowledging


def add_interactions(app: FastAPI, store: Store, slack: SlackSide) -> None:
    """Take the buttons of our messages: signed, of our workspace, once each; answered before anybody is called."""

    @app.post(INTERACTIONS, include_in_schema=False)
    async def interactions(request: Request) -> Response:
        clicks = await slack.requests.clicks(request)
        if not await in_time(take_clicks(store, slack.acknowledging, slack.requests, clicks)):
            raise HTTPException(
                503, SLOW
            )  # Slack shows who pressed that it went wrong, and does not send it again
        return Response(status_code=200)


async def count(store: Store) -> dict[str, Any]:
    """`{"messages": {state: n}, "deliveries": {destination: {state: n}}}`; waiting ones include those not due yet."""
    m, d = tables.feed_messages.c, tables.engine.deliveries.c
    messages = select(m.state, func.count()).group_by(m.state)
    rows = (
        select(d.destination, d.state, func.count())
        .where(d.destination.in_((POSTS, UPDATES, ROUTING)))
        .group_by(d.destination, d.state)
    )
    deliveries: dict[str, dict[str, int]] = {}
    async with store.reading() as conn:
        posted = {row.state: row[1] for row in await conn.execute(messages)}
        for destination, state, number in await conn.execute(rows):
            deliveries.setdefault(destination, {})[state] = number
    return {"messages": posted, "deliveries": deliveries}
