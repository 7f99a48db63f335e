"""What the notifier knows of a ticket: the messages that stand in Slack, the calls that make and change them, and for
each message why the other feeds did not get it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.destinations import POSTS, REDACTIONS, ROUTING, UPDATES
from notifier.operations.why_not import decisions_of
from notifier.tables import feed_messages, feed_tickets
from supportops.operations.delivery_history import Call, Row, calls_where, rows_of
from supportops.operations.timeline import Explanation, Line, explanation, when
from supportops.store.tables import ENGINE


async def explain_ticket(conn: AsyncConnection, ticket_id: str, now: datetime, words: bool) -> Explanation:
    """The ticket's messages as of `now`; `words`: with what events told of the ticket, customers' texts among them."""
    heard = await rows_of(conn, select(feed_tickets).where(feed_tickets.c.ticket_id == ticket_id))
    query = select(feed_messages).where(feed_messages.c.ticket_id == ticket_id)
    messages = await rows_of(conn, query.order_by(feed_messages.c.changed_at))
    decisions = await decisions_of(conn, ticket_id)
    calls = await _calls(conn, ticket_id, now)
    document: dict[str, Any] = {
        "ticket_id": ticket_id,
        "heard": [row if words else {n: v for n, v in row.items() if n != "state"} for row in heard],
        "messages": messages,
        "decisions": [each.document() for each in decisions],
    }
    decided = [line for each in decisions for line in each.lines()]
    standing = {"ticket": _heard_words(heard), "messages": _messages_words(messages)}
    return explanation(calls, now, standing, [*_lines(heard, messages), *decided], document)


async def _calls(conn: AsyncConnection, ticket_id: str, now: datetime) -> tuple[Call, ...]:
    """A lane is a channel here: the ticket is in the keys, `channel:ticket:comment` of posts, `ticket:comment:…` else.

    Posts are looked through one by one, a month of them at most: this is asked by people.
    """
    d = ENGINE.deliveries.c
    posts = (d.destination == POSTS) & d.key.contains(f":{ticket_id}:", autoescape=True)
    keys = d.key.startswith(f"{ticket_id}:", autoescape=True)
    others = d.destination.in_((UPDATES, ROUTING, REDACTIONS)) & (keys | (d.lane == ticket_id))
    return await calls_where(conn, or_(posts, others), now)


def _heard_words(heard: Sequence[Row]) -> str:
    return f"last event {when(heard[0]['changed_at'])}" if heard else "no event of it was handled"


def _messages_words(messages: Sequence[Row]) -> str:
    if not messages:
        return "none in Slack"
    return "; ".join(
        f"{row['state']} in {row['channel']} ({row['feed']}), ts {row['ts']}" for row in messages
    )


def _lines(heard: Sequence[Row], messages: Sequence[Row]) -> list[Line]:
    lines = [Line(row["changed_at"], "last event heard", "") for row in heard]
    for row in messages:
        detail = f"comment {row['item']}, revision {row['revision']}, ts {row['ts']}"
        lines.append(Line(row["changed_at"], f"message {row['state']} in {row['channel']}", detail))
    return lines
