"""What the notifier knows of a ticket: the messages that stand in Slack, the calls that make and change them, and for
each message why the other feeds did not get it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.destinations import (
    BREACH_NOTICES,
    BREACH_TAGS,
    BREACH_UPDATES,
    NOTICES,
    POSTS,
    REDACTIONS,
    ROUTING,
    SECOND_ROADS,
    SLA_READINGS,
    TAGS,
    UPDATES,
)
from notifier.notices.payloads import SUCCESS
from notifier.operations.why_not import decisions_of, sent_lines, what_became
from notifier.posting.names import caller, names_of
from notifier.tables import breach_notices, breach_tickets, feed_messages, feed_tickets
from supportops.operations.delivery_history import Call, Row, calls_where, rows_of
from supportops.operations.timeline import Explanation, Line, explanation, when
from supportops.store.tables import ENGINE

type Called = Callable[[str], str]


async def explain_ticket(
    conn: AsyncConnection, ticket_id: str, now: datetime, words: bool, *, named: bool = True
) -> Explanation:
    """The ticket's messages as of `now`; `words`: with what events told of the ticket, customers' texts among them.

    `named`: with the names of channels, which Slack shows of a private one to nobody outside it.
    """
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
    for decision, sent in zip(decisions, await what_became(conn, decisions), strict=True):
        decided += sent_lines(decision, sent)
    watched = await rows_of(conn, select(breach_tickets).where(breach_tickets.c.ticket_id == ticket_id))
    query = select(breach_notices).where(breach_notices.c.ticket_id == ticket_id)
    notices = await rows_of(conn, query.order_by(breach_notices.c.due_at))
    hidden = () if words else ("reading",)
    document["watched"] = [{n: v for n, v in row.items() if n not in hidden} for row in watched]
    document["notices"] = notices
    places = [row["channel"] for row in (*messages, *notices)] if named else []
    called = caller(await names_of(conn, places))
    standing = {"ticket": _heard_words(heard), "messages": _messages_words(messages, called)}
    standing["targets"] = _watched_words(watched)
    lines = [*_lines(heard, messages, called), *decided, *_notice_lines(notices, called)]
    return explanation(calls, now, standing, lines, document)


async def _calls(conn: AsyncConnection, ticket_id: str, now: datetime) -> tuple[Call, ...]:
    """A lane is a channel here: the ticket is in the keys, `channel:ticket:comment` of posts, `ticket:comment:…` else.

    Posts are looked through one by one, a month of them at most: this is asked by people.
    """
    d = ENGINE.deliveries.c
    in_the_middle = d.key.contains(f":{ticket_id}:", autoescape=True)
    posts = (d.destination == POSTS) & (in_the_middle | d.key.endswith(f":{ticket_id}", autoescape=True))
    keys = d.key.startswith(f"{ticket_id}:", autoescape=True)
    others = d.destination.in_((UPDATES, ROUTING, REDACTIONS)) & (keys | (d.lane == ticket_id))
    breaches = (SLA_READINGS, BREACH_NOTICES, BREACH_UPDATES, BREACH_TAGS, SECOND_ROADS)
    others = others | (d.destination.in_(breaches) & keys)
    lanes = d.lane.in_((ticket_id, f"{SUCCESS}:{ticket_id}"))
    others = others | (d.destination.in_((NOTICES, TAGS)) & lanes)
    return await calls_where(conn, or_(posts, others), now)


def _heard_words(heard: Sequence[Row]) -> str:
    return f"last event {when(heard[0]['changed_at'])}" if heard else "no event of it was handled"


def _watched_words(watched: Sequence[Row]) -> str:
    if not watched:
        return "not watched for breaches: no rule ever concerned it"
    (row,) = watched
    rule = f"by the rule {row['rule']}" if row["rule"] else f"no notices: {row['objection']}"
    read = f"read {when(row['read_at'])}" if row["read_at"] else "not read yet"
    breach = f"next breach {when(row['next_breach_at'])}" if row["next_breach_at"] else "no breach ahead"
    return f"{read}, {rule}, {breach}"


def _notice_lines(notices: Sequence[Row], called: Called) -> list[Line]:
    """What was decided about each notice, also a no, with the rule and the version of the rules that said so."""
    lines = []
    for row in notices:
        by = f"rule {row['rule'] or '-'}, rules {row['rules_version']}"
        said = f"breach notice {row['metric']} {row['step']}"
        if row["posted_at"] is not None:
            detail = f"by {row['road']}, {row['late_ms']} ms late, {by}"
            place = called(row["channel"]) if row["channel"] else row["road"]
            lines.append(Line(row["posted_at"], f"{said} posted in {place}", detail))
        elif row["decided_at"] is not None:
            lines.append(Line(row["decided_at"], f"{said}: no ({row['state']})", f"{row['reason']}; {by}"))
        else:
            lines.append(Line(row["armed_at"], f"{said} armed for {when(row['due_at'])}", by))
    return lines


def _messages_words(messages: Sequence[Row], called: Called) -> str:
    if not messages:
        return "none in Slack"
    return "; ".join(
        f"{row['state']} in {called(row['channel'])} ({row['feed']}), ts {row['ts']}" for row in messages
    )


def _lines(heard: Sequence[Row], messages: Sequence[Row], called: Called) -> list[Line]:
    lines = [Line(row["changed_at"], "last event heard", "") for row in heard]
    for row in messages:
        detail = f"comment {row['item']}, revision {row['revision']}, ts {row['ts']}"
        lines.append(Line(row["changed_at"], f"message {row['state']} in {called(row['channel'])}", detail))
    return lines
