"""Why a message went where it went, and why not elsewhere: worked out from the facts and the rules of then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import json, to_builtins
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.destinations import POSTS
from notifier.feeds.decisions import from_facts, judgements
from notifier.feeds.merge import FIRST
from notifier.feeds.scheduling import message_key
from notifier.policy.conditions import Routable
from notifier.policy.kinds import COMMENTS
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import kinds_words
from notifier.posting.message_log import POSTED, state_words
from notifier.tables import feed_decisions, feed_messages, routing_versions
from supportops.operations.delivery_history import Row, rows_of
from supportops.operations.timeline import Line
from supportops.store.tables import ENGINE


@dataclass(frozen=True)
class Decision:
    """A decision with the rules that made it; `rules` is None where those are not kept any more."""

    ticket_id: str
    item: str
    at: datetime
    version: str
    feeds: list[str]
    routable: Routable
    rules: NotifierPolicy | None

    @property
    def about(self) -> str:
        """What the message is about, in words."""
        if not self.routable.kinds.isdisjoint(COMMENTS):
            return "the first comment" if self.item == FIRST else f"comment {self.item}"
        return kinds_words(self.routable.kinds)

    def judged(self) -> Mapping[str, str]:
        """For each feed of then that did not get the message, why not."""
        if self.rules is None:
            return {}
        said = judgements(self.rules, self.routable)
        late = "an earlier feed took it (match: first)"
        return {name: each.why or late for name, each in said.items() if name not in self.feeds}

    def lines(self) -> list[Line]:
        """What was decided, in words."""
        what = f"{self.about}: decided by rules {self.version}"
        lines = [Line(self.at, what, f"goes to {', '.join(self.feeds) or 'no feed'}")]
        if self.rules is None:
            return [*lines, Line(self.at, what, "why not elsewhere cannot be told: these rules are not kept")]
        return lines + [Line(self.at, what, f"not {name}: {why}") for name, why in self.judged().items()]

    def keys(self) -> dict[str, str]:
        """The key of its message in each feed that gets it, by the feed's name; without feeds that are not kept."""
        chosen = [feed for feed in self.rules.feeds if feed.name in self.feeds] if self.rules else []
        return {feed.name: message_key(feed.channel, self.ticket_id, self.item) for feed in chosen}

    def document(self) -> dict[str, Any]:
        """The same for JSON."""
        facts = to_builtins(self.routable)
        return {"item": self.item, "at": self.at, "version": self.version, "facts": facts} | {
            "feeds": self.feeds,
            "not": dict(self.judged()),
        }


async def decisions_of(conn: AsyncConnection, ticket_id: str) -> list[Decision]:
    """What was decided about each message of a ticket, the oldest first."""
    query = select(feed_decisions).where(feed_decisions.c.ticket_id == ticket_id)
    return await _decisions(conn, query.order_by(feed_decisions.c.decided_at))


async def last_decisions(conn: AsyncConnection, limit: int) -> list[Decision]:
    """The last `limit` decisions about messages of all tickets, the newest first."""
    d = feed_decisions.c
    return await _decisions(conn, select(feed_decisions).order_by(d.decided_at.desc(), d.key).limit(limit))


async def _decisions(conn: AsyncConnection, query: Select[Any]) -> list[Decision]:
    rows = await rows_of(conn, query)
    asked = select(routing_versions).where(routing_versions.c.version.in_({row["version"] for row in rows}))
    known = await rows_of(conn, asked)
    rules = {row["version"]: NotifierPolicy.model_validate_json(row["rules"]) for row in known}
    return [
        Decision(
            row["ticket_id"],
            row["item"],
            row["decided_at"],
            row["version"],
            json.decode(row["feeds"], type=list[str]),
            from_facts(row["facts"]),
            rules.get(row["version"]),
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Sent:
    """What became of a message for one feed: `state` in words, and why."""

    feed: str
    channel: str | None
    state: str
    why: str = ""


async def what_became(conn: AsyncConnection, decisions: Sequence[Decision]) -> list[list[Sent]]:
    """For each decision what became of the message in each feed that was to get it."""
    keys = [key for each in decisions for key in each.keys().values()]
    m, d = feed_messages, ENGINE.deliveries
    messages = {row["key"]: row for row in await rows_of(conn, select(m).where(m.c.key.in_(keys)))}
    posts = select(d.c.key, d.c.state, d.c.outcome).where(d.c.destination == POSTS, d.c.key.in_(keys))
    calls = {row["key"]: row for row in await rows_of(conn, posts)}
    return [[_sent(each, feed, messages, calls) for feed in each.feeds] for each in decisions]


def sent_lines(decision: Decision, sent: Sequence[Sent]) -> list[Line]:
    """What became of the message in each feed, where that is not simply that it stands there."""
    return [
        Line(decision.at, f"{decision.about} for {each.feed}: {each.state}", each.why)
        for each in sent
        if each.state != POSTED
    ]


def _sent(decision: Decision, feed: str, messages: Mapping[str, Row], calls: Mapping[str, Row]) -> Sent:
    key = decision.keys().get(feed)
    if key is None:
        return Sent(feed, None, "unknown", "these rules are not kept")
    channel = key.removesuffix(f":{decision.ticket_id}:{decision.item}")
    if (message := messages.get(key)) is not None:
        return Sent(feed, message["channel"], message["state"])
    if (call := calls.get(key)) is not None:
        return Sent(feed, channel, *state_words(call["state"], call["outcome"]))
    return Sent(feed, channel, "unknown", "nothing of it is kept any more")
