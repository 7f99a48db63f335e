"""The notifier's HTTP side: one page of figures. Counts only, no word of a ticket, so it needs no credential."""

from typing import Any

from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from notifier import tables
from notifier.planning import POSTS, ROUTING, UPDATES
from supportops.store import Store


def create_app(store: Store) -> Starlette:
    """`GET /`: how many messages are posted, and how many deliveries are in which state."""

    async def figures(_request: Request) -> JSONResponse:
        return JSONResponse({"service": "notifier"} | await count(store))

    return Starlette(routes=[Route("/", figures, methods=["GET"])])


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
