"""The notifier's HTTP side, put together: the operators' pages, and what Slack asks for."""

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import func, select

from notifier import tables
from notifier.bot.intake import AWAY, answer_command, ephemeral, refuse_other_events, take_event
from notifier.breaches.acknowledge import SLOW, take_clicks
from notifier.destinations import POSTS, ROUTING, UPDATES
from notifier.operations.pages import FIGURES, NOTICES, PAGES, mount_pages
from notifier.policy.breach_settings import Acknowledging
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import WebSettings
from notifier.slack.requests import SlackRequests, in_time
from supportops.config import HttpSettings
from supportops.config.rules_file import Section
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts
from supportops.store import Store
from supportops.web.app import operators_app
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout
from supportops.web.site import site_of

START = NOTICES
INTERACTIONS, COMMANDS, EVENTS = "/slack/interactions", "/slack/commands", "/slack/events"


def http_server(settings: WebSettings, parts: Parts, rules: Section[NotifierPolicy]) -> HttpServer:
    """The operators' pages, the API of figures, and what Slack asks for."""
    site = site_of(settings.operators, "notifier", START, PAGES)
    token = settings.notifier.api_token
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics, token)
    app = create_app(parts.store, auth, settings.http, slack_side(settings, parts, rules))
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics)


def slack_side(settings: WebSettings, parts: Parts, rules: Section[NotifierPolicy]) -> "SlackSide | None":
    """What takes Slack's requests; None without a signing secret."""
    if settings.slack_requests.signing_secret is None:
        return None
    requests = SlackRequests(settings.slack_requests, parts.clock)
    return SlackSide(requests, rules.load(settings.config.file).breaches.acknowledge)


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


def add_bot(app: FastAPI, store: Store, requests: SlackRequests) -> None:
    """Take slash commands and mentions."""

    @app.post(COMMANDS, include_in_schema=False)
    async def commands(request: Request) -> Response:
        body = await requests.signed_body(request)
        fields = requests.fields(body)
        if "ssl_check" in fields:
            return Response(status_code=200)
        requests.refuse_other_teams(fields.get("team_id"))
        return JSONResponse(ephemeral(await answer_command(store, requests, fields, body)))

    @app.post(EVENTS, include_in_schema=False)
    async def events(request: Request) -> Response:
        payload = _object(await requests.signed_body(request))
        if payload.get("type") == "url_verification":
            return JSONResponse({"challenge": str(payload.get("challenge", ""))[:500]})
        refuse_other_events(requests, payload)
        if not await take_event(store, requests, payload):
            raise HTTPException(503, AWAY)  # Slack sends it again
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


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "JSON is needed") from error
    if not isinstance(payload, dict):
        raise HTTPException(400, "a JSON object is needed")
    return payload
