"""What operators see and do: a page of figures, and the posts that were given up on.

The page holds counts only, no word of a ticket, so it needs no credential.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from notifier import tables
from notifier.destinations import POSTS, ROUTING, UPDATES
from supportops.delivery import dead as reviving
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


async def given_up(store: Store) -> list[dict[str, Any]]:
    """The posts that are dead, oldest first: `key` (channel:ticket:comment), `reason`, `attempts`, `at`."""
    dead = await reviving.given_up(store, (POSTS,))
    return [
        {"key": each.key, "reason": each.reason, "attempts": each.attempts, "at": each.at} for each in dead
    ]


async def post_again(store: Store, keys: Collection[str]) -> list[str]:
    """Let dead posts be tried once more from the start; the keys of those that will be.

    The channel's history is asked before anything is posted a second time.
    """
    return [key for _, key in await reviving.revive(store, (POSTS,), keys)]
