"""What other routing rules would have done with the messages of the last days: gained, lost, moved, leaked.

Works on the facts that were kept with each decision (decision 160). A fact that no rule asked for then was not read: it
is read now, which is told, and a message of a ticket that is gone is counted as not known instead of guessed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from msgspec import json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.feeds.decisions import from_facts
from notifier.feeds.lookups import Unread
from notifier.policy.conditions import Routable, Verdict
from notifier.policy.kinds import KINDS, Kind
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.tables import feed_decisions, routing_versions
from supportops.store import Store

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


@dataclass(frozen=True)
class Past:
    """A message of then: its key in the decisions, and the channels that got it."""

    key: str
    ticket_id: str
    item: str
    channels: set[str]


@dataclass
class Backtest:
    """The result. `leaks`: by channel, confidential messages that would newly come to it. `read_now`: how many messages
    were judged by facts of today. `not_heard`: kinds that no rule wanted then, so that nothing is known of them.
    """

    messages: int = 0
    same: int = 0
    read_now: int = 0
    not_heard: list[Kind] = field(default_factory=list)
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
            "judged_by_facts_of_today": self.read_now,
            "kinds_not_heard_then": self.not_heard,
            "gained_by_channel": dict(channels["gained"]),
            "lost_by_channel": dict(channels["lost"]),
            "confidential_to": dict(self.leaks),
            "examples": [
                {"kind": each.kind, "ticket": each.ticket_id, "gained": each.gained, "lost": each.lost}
                for kind in kinds
                for each in [change for change in self.changes if change.kind == kind][:EXAMPLES]
            ],
        }


class FactsNow(Protocol):
    """Who knows what a decision of then did not look at."""

    async def filled(self, facts: Mapping[str, Sequence[Unread]]) -> Mapping[str, Routable]:
        """By key what is known now, in place of what was not known then; without those of tickets that are gone."""
        ...


async def backtest(
    store: Store,
    rules: NotifierPolicy,
    since: datetime,
    *,
    in_force: NotifierPolicy,
    facts_now: FactsNow | None,
) -> Backtest:
    """Judge every kept decision since a moment anew, by other rules.

    `in_force`: the rules of today; what they call secret is secret, whatever `rules` say. `facts_now` is asked for
    facts that no rule looked at then; without it such messages count as not known.
    """
    found = Backtest()
    async with store.reading() as conn:
        then = await _rules_then(conn)
    channels = {version: {feed.name: feed.channel for feed in each.feeds} for version, each in then.items()}
    judge, heard = _Judge(rules, in_force, found), set[Kind]()
    async for rows in _decisions(store, since):
        undecided: list[tuple[Past, Routable]] = []
        for row in rows:
            names = channels.get(row.version, {})
            before = {names.get(name, name) for name in json.decode(row.feeds, type=list[str])}
            past, routable = Past(row.key, row.ticket_id, row.item, before), from_facts(row.facts)
            if not judge.judged(past, routable):
                undecided.append((past, routable))
        heard |= {kind for row in rows for feed in _feeds(then, row.version) for kind in feed.kinds}
        await judge.read(undecided, facts_now)
    wanted = {kind for feed in rules.feeds for kind in feed.kinds}
    found.not_heard = [kind for kind in KINDS if kind in wanted - heard]
    return found


class _Judge:
    """Judges messages by the changed rules, and keeps what comes of it."""

    def __init__(self, rules: NotifierPolicy, in_force: NotifierPolicy, found: Backtest) -> None:
        self._rules, self._in_force, self._found = rules, in_force, found

    def judged(self, past: Past, routable: Routable) -> bool:
        """Whether all facts are there that the rules ask for; then the message is accounted for."""
        rules = self._rules
        feeds, unknown = rules.chosen((feed, rules.verdict(feed, routable)) for feed in rules.feeds)
        if unknown:
            return False
        self._found.messages += 1
        _compare(self._found, past, feeds, self._is_confidential(routable))
        return True

    async def read(self, undecided: Sequence[tuple[Past, Routable]], facts_now: FactsNow | None) -> None:
        """Judge the others by what is known now; what is gone, or cannot be told, is counted as not known."""
        by_ticket: dict[str, list[Unread]] = {}
        for past, routable in undecided:
            by_ticket.setdefault(past.ticket_id, []).append(Unread(past.key, past.item, routable))
        filled = await facts_now.filled(by_ticket) if facts_now is not None and by_ticket else {}
        for past, routable in undecided:
            now = filled.get(past.key)
            if now is not None and self.judged(past, now):
                self._found.read_now += 1
                continue
            self._found.messages += 1
            self._found.unknown[_missing(self._rules, now or routable)] += 1

    def _is_confidential(self, routable: Routable) -> bool:
        form = routable.form or ""
        return routable.public is not True or self._rules.is_secret(form) or self._in_force.is_secret(form)


def _compare(found: Backtest, past: Past, feeds: Sequence[FeedRule], confidential: bool) -> None:
    before, after = past.channels, {feed.channel for feed in feeds}
    gained, lost = tuple(sorted(after - before)), tuple(sorted(before - after))
    if confidential:
        found.leaks.update(gained)
    if gained or lost:
        found.changes.append(Change(past.ticket_id, past.item, gained, lost))
    else:
        found.same += 1


def _missing(rules: NotifierPolicy, routable: Routable) -> str:
    undecided = (feed for feed in rules.feeds if rules.verdict(feed, routable) is Verdict.UNKNOWN)
    return ", ".join(
        sorted({rules.judge(feed, routable).why.removeprefix("not known: ") for feed in undecided})
    )


def _feeds(then: Mapping[str, NotifierPolicy], version: str) -> Sequence[FeedRule]:
    return then[version].feeds if version in then else ()


async def _rules_then(conn: AsyncConnection) -> Mapping[str, NotifierPolicy]:
    """The rules by their version."""
    rows = (await conn.execute(select(routing_versions.c.version, routing_versions.c.rules))).all()
    return {row.version: NotifierPolicy.model_validate_json(row.rules) for row in rows}


async def _decisions(store: Store, since: datetime) -> AsyncIterator[Sequence[Any]]:
    """The kept decisions, oldest first, a thousand at a time."""
    d, after = feed_decisions.c, (since, "")
    while True:
        later = (d.decided_at > after[0]) | ((d.decided_at == after[0]) & (d.key > after[1]))
        query = select(feed_decisions).where(later).order_by(d.decided_at, d.key).limit(1_000)
        async with store.reading() as conn:  # let go while others are asked
            rows = (await conn.execute(query)).all()
        if not rows:
            return
        yield rows
        after = (rows[-1].decided_at, rows[-1].key)
