"""What other routing rules would have done with the messages of the last days: gained, lost, moved, leaked.

Works on the facts that were kept with each decision (decision 160). A fact that no rule asked for then was not read,
so a message whose new verdict hangs on it is counted as not known instead of guessed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.feeds.decisions import from_facts
from notifier.policy.conditions import Routable, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.tables import feed_decisions, routing_versions

EXAMPLES = 10  # of each kind of change that are shown


@dataclass(frozen=True)
class Change:
    """What becomes of one message under the new rules: channels that it comes to and channels that it leaves."""

    ticket_id: str
    item: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`moved`: it leaves one channel and comes to another."""
        if self.gained and self.lost:
            return "moved"
        return "gained" if self.gained else "lost"


@dataclass
class Backtest:
    """The result. `leaks`: by channel, confidential messages that would newly come to it."""

    messages: int = 0
    same: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    leaks: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, Any]:
        """The result for JSON and for people."""
        kinds = Counter(change.kind for change in self.changes)
        channels = {
            name: Counter(channel for change in self.changes for channel in getattr(change, name))
            for name in ("gained", "lost")
        }
        return {
            "messages": self.messages,
            "same": self.same,
            **{kind: kinds[kind] for kind in ("gained", "lost", "moved")},
            "not_known": dict(self.unknown),
            "gained_by_channel": dict(channels["gained"]),
            "lost_by_channel": dict(channels["lost"]),
            "confidential_to": dict(self.leaks),
            "examples": [
                {"kind": each.kind, "ticket": each.ticket_id, "gained": each.gained, "lost": each.lost}
                for kind in kinds
                for each in [change for change in self.changes if change.kind == kind][:EXAMPLES]
            ],
        }


async def backtest(conn: AsyncConnection, rules: NotifierPolicy, since: datetime) -> Backtest:
    """Judge every kept decision since a moment anew, by other rules."""
    found, then = Backtest(), await _channels_then(conn)
    async for row in _decisions(conn, since):
        found.messages += 1
        routable = from_facts(row.facts)
        feeds, unknown = rules.chosen((feed, rules.verdict(feed, routable)) for feed in rules.feeds)
        if unknown:
            found.unknown[_missing(rules, routable)] += 1
            continue
        names = then.get(row.version, {})
        before = {names.get(name, name) for name in json.decode(row.feeds, type=list[str])}
        _compare(found, row, before, feeds, _is_confidential(rules, routable))
    return found


def _compare(
    found: Backtest, row: Any, before: set[str], feeds: Sequence[FeedRule], confidential: bool
) -> None:
    after = {feed.channel for feed in feeds}
    gained, lost = tuple(sorted(after - before)), tuple(sorted(before - after))
    if confidential:
        found.leaks.update(gained)
    if gained or lost:
        found.changes.append(Change(row.ticket_id, row.item, gained, lost))
    else:
        found.same += 1


def _is_confidential(rules: NotifierPolicy, routable: Routable) -> bool:
    return routable.public is not True or rules.is_secret(routable.form or "")


def _missing(rules: NotifierPolicy, routable: Routable) -> str:
    undecided = (feed for feed in rules.feeds if rules.verdict(feed, routable) is Verdict.UNKNOWN)
    return ", ".join(
        sorted({rules.judge(feed, routable).why.removeprefix("not known: ") for feed in undecided})
    )


async def _channels_then(conn: AsyncConnection) -> Mapping[str, Mapping[str, str]]:
    """The channel of each feed, by the version of the rules."""
    rows = (await conn.execute(select(routing_versions.c.version, routing_versions.c.rules))).all()
    rules = {row.version: NotifierPolicy.model_validate_json(row.rules) for row in rows}
    return {version: {feed.name: feed.channel for feed in each.feeds} for version, each in rules.items()}


async def _decisions(conn: AsyncConnection, since: datetime) -> AsyncIterator[Any]:
    """The kept decisions, oldest first, a thousand at a time."""
    d, after = feed_decisions.c, (since, "")
    while True:
        later = (d.decided_at > after[0]) | ((d.decided_at == after[0]) & (d.key > after[1]))
        query = select(feed_decisions).where(later).order_by(d.decided_at, d.key).limit(1_000)
        rows = (await conn.execute(query)).all()
        for row in rows:
            yield row
        if not rows:
            return
        after = (rows[-1].decided_at, rows[-1].key)
