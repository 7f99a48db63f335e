"""Which messages stand in which channel."""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, select, update

from notifier import tables
from notifier.destinations import POSTS
from notifier.slack.message import Json
from supportops.store import Store, Transaction

POSTED, REDACTED, GONE = "posted", "redacted", "gone"


def record_message(tx: Transaction, *, key: str, row: Json) -> None:
    """Keep what was posted under `key`, all of it: nothing is read before. What `row` does not name is nothing."""
    nothing = dict.fromkeys(tables.feed_messages.columns.keys())
    tx.replace(tables.feed_messages, **nothing | row | {"key": key, "changed_at": tx.now})


async def record_messages(tx: Transaction, *, rows: dict[str, Json]) -> None:
    """Keep what became of messages, by key; columns that are not named stay as they are."""
    messages = await tx.load(tables.feed_messages, rows)
    for key, row in rows.items():
        messages.put(key, **row, changed_at=tx.now)


async def record_root_gone(tx: Transaction, *, channel: str, ts: str) -> None:
    """The first message of a thread was deleted in Slack: the next one at channel level takes its place."""
    m = tables.feed_messages
    await tx.execute(
        update(m).where(m.c.channel == channel, m.c.ts == ts).values(state=GONE, changed_at=tx.now)
    )


async def thread_of(store: Store, channel: str, ticket_id: str) -> str | None:
    """The `ts` of the ticket's first message in the channel: what later ones answer to; None when there is none."""
    messages = tables.feed_messages.c
    query = select(messages.ts).where(
        messages.ticket_id == ticket_id,
        messages.channel == channel,
        messages.state.in_((POSTED, REDACTED)),
        messages.thread_ts.is_(None),
    )
    async with store.reading() as conn:
        found: str | None = (await conn.execute(query.order_by(messages.ts).limit(1))).scalar()
    return found


async def post_in_flight(store: Store, which: ColumnElement[bool]) -> bool:
    """Whether one of `which` posts (a condition on deliveries) is in flight: it may show what was read before."""
    d = tables.engine.deliveries.c
    query = select(d.id).where(d.destination == POSTS, d.state == "leased", which).limit(1)
    async with store.reading() as conn:
        return (await conn.execute(query)).first() is not None


async def roots_of(store: Store, ticket_id: str) -> dict[str, Row[Any]]:
    """The ticket's first message by channel, notes left aside: what later ones answer to."""
    messages = tables.feed_messages
    query = select(messages).where(
        messages.c.ticket_id == ticket_id,
        messages.c.state == POSTED,
        messages.c.thread_ts.is_(None),
        messages.c.item.not_like("note:%"),
    )
    async with store.reading() as conn:
        return {row.channel: row for row in await conn.execute(query.order_by(messages.c.ts.desc()))}


async def is_told(store: Store, keys: Collection[str], feed: str) -> bool:
    """Whether one of these messages stands in the channel for that feed, or is on its way there."""
    m, d = tables.feed_messages.c, tables.engine.deliveries.c
    posted = select(m.key).where(m.key.in_(keys), m.feed == feed, m.state == POSTED).limit(1)
    coming = select(d.payload).where(
        d.destination == POSTS, d.key.in_(keys), d.state.in_(("waiting", "leased"))
    )
    async with store.reading() as conn:
        if (await conn.execute(posted)).first() is not None:
            return True
        return any(orjson.loads(row.payload).get("feed") == feed for row in await conn.execute(coming))


async def shown_of(store: Store, ticket_id: str, item: str | None = None) -> Sequence[Row[Any]]:
    """The ticket's messages that people can read, of one comment or of all."""
    messages = tables.feed_messages
    query = select(messages).where(messages.c.ticket_id == ticket_id, messages.c.state == POSTED)
    if item is not None:
        query = query.where(messages.c.item == item)
    async with store.reading() as conn:
        return (await conn.execute(query)).all()


def state_words(state: str, outcome: str | None) -> tuple[str, str]:
    """How the delivery of a message stands, for people, and why: by its row's state and outcome."""
    told = orjson.loads(outcome or "{}")
    if state == "done" and told.get("kind") == "done":
        result = told.get("result", {})
        if "in" not in result:
            return "posted", ""
        return "held back" if ":held:" in result["in"] else "in a summary", str(result.get("why", ""))
    if state == "cancelled" and ":summary:" in str(told.get("reason")):
        return "in a summary", str(told["reason"])
    words = {"waiting": "waiting", "leased": "in hand", "dead": "given up"}
    return words.get(state, "not posted"), str(told.get("reason") or "")
