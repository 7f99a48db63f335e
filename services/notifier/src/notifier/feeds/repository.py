"""Which messages stand in which channel."""

from sqlalchemy import update

from notifier import tables
from notifier.feeds.scheduling import MessagePayload
from notifier.policy.routing import FeedRule
from notifier.slack.client import (
    Posted,
)
from notifier.slack.message import Json
from supportops.store import Transaction

EVENT_TYPE = "ticket_feed"
POSTED, GONE = "posted", "gone"


def metadata_of(key: str, payload: MessagePayload) -> Json:
    """Everybody in the workspace can read it: ids only (docs/vendors/slack.md#metadata)."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "ticket_id": int(payload.ticket_id)}}


def message_row(payload: MessagePayload, feed: FeedRule, posted: Posted, thread_ts: str | None) -> Json:
    return {
        "channel": feed.channel,
        "address": posted.channel,
        "ticket_id": payload.ticket_id,
        "item": payload.item,
        "feed": feed.name,
        "state": POSTED,
        "ts": posted.ts,
        "thread_ts": thread_ts,
        "revision": payload.revision,
    }


async def record_message(tx: Transaction, *, key: str, row: Json) -> None:
    await record_messages(tx, rows={key: row})


async def record_messages(tx: Transaction, *, rows: dict[str, Json]) -> None:
    messages = await tx.load(tables.feed_messages, rows)
    for key, row in rows.items():
        messages.put(key, **row, changed_at=tx.now)


async def record_root_gone(tx: Transaction, *, channel: str, ts: str) -> None:
    """The first message of a thread was deleted in Slack: the next one at channel level takes its place."""
    m = tables.feed_messages
    await tx.execute(
        update(m).where(m.c.channel == channel, m.c.ts == ts).values(state=GONE, changed_at=tx.now)
    )
