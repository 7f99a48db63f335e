"""What was decided about each message: by which facts, by which version of the rules, for which feeds (also none).

The verdict of every single feed is not stored: with the facts and the rules of that version it can be worked out at any
time, for people who ask why not (`explain`) and for other rules than those of that day (`backtest`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from notifier import tables
from notifier.policy.conditions import Routable
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import Judgement
from supportops.store import Transaction
from supportops.store.upsert import insert_for

_KNOWN = select(tables.routing_versions.c.version).where(
    tables.routing_versions.c.version == bindparam("version")
)


def as_facts(routable: Routable) -> str:
    """What routing looked at, as JSON; a fact that was not known is null."""
    return msgspec.json.encode(routable).decode()


def from_facts(facts: str) -> Routable:
    """What `as_facts` made JSON of."""
    return msgspec.json.decode(facts, type=Routable)


def keep_decision(tx: Transaction, **row: Any) -> None:
    """Remember the newest decision about a message; many in a batch are one statement."""
    tx.replace(tables.feed_decisions, **row)


async def keep_rules(tx: Transaction, policy: NotifierPolicy) -> None:
    """Remember the routing rules under their version, so that old decisions can be explained by the rules of then."""
    rules = msgspec.json.encode(policy.routing()).decode()
    row = {"version": policy.version, "rules": rules, "first_used_at": tx.now}
    if not (await tx.read(_KNOWN, {"version": policy.version})).first():
        await tx.execute(insert_for(tx.dialect, tables.routing_versions).on_conflict_do_nothing(), [row])


def judgements(policy: NotifierPolicy, routable: Routable) -> Mapping[str, Judgement]:
    """What each feed of `policy` says of a message, by the feed's name."""
    return {feed.name: policy.judge(feed, routable) for feed in policy.feeds}
