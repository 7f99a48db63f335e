"""What Slack's ids are called, for people who read our pages: nobody knows a colleague as U024BE7LH.

A press of a button tells a name. Channels of the rules and people of the ledger are looked up by a job, again after a
day, so that a renamed channel is called by its new name. Names decide nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.destinations import POSTS
from notifier.posting.channels import CHANNEL_ID
from notifier.slack.client import SlackClient, SlackCredentialError, SlackRefused
from notifier.slack.reads import audience_of, name_of_person
from notifier.slack.text import one_line
from notifier.tables import breach_notices, breach_targets, slack_names
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE

LOOK_EVERY = timedelta(minutes=10)
BELIEVED = timedelta(days=1)
RECENT = timedelta(days=7)
AT_ONCE = 30  # look-ups of one run: Slack takes fifty of a kind in a minute
LONGEST = 80  # characters of a name
USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
log = get_logger("notifier.names")


async def hear_names(tx: Transaction, names: Mapping[str, str], *, in_passing: bool = False) -> None:
    """Keep what ids are called; an empty name: Slack tells none. `in_passing`: a name that is known stays."""
    rows = await tx.load(slack_names, names)
    for key, name in names.items():
        known = rows.get(key)
        if in_passing and known is not None and known["name"]:
            continue
        rows.put(key, name=one_line(name)[:LONGEST], heard_at=tx.now)


async def names_of(conn: AsyncConnection, ids: Iterable[str | None]) -> dict[str, str]:
    """The names that are known of these ids; what is no id, or has no name, is left out."""
    wanted = {each for each in ids if each}
    query = select(slack_names.c.id, slack_names.c.name).where(slack_names.c.id.in_(wanted))
    return {row.id: row.name for row in await conn.execute(query) if row.name}


def caller(names: Mapping[str, str]) -> Callable[[str], str]:
    """How a page calls an id: by its name, the id beside it; by the id alone where no name is known."""

    def called(key: str) -> str:
        name = names.get(key)
        mark = "#" if CHANNEL_ID.fullmatch(key) else ""
        return f"{mark}{name} ({key})" if name else key

    return called


class NameWatch:
    """Looks up what has no name yet, and what was looked up long ago. `channels`: those of the rules."""

    def __init__(self, store: Store, slack: SlackClient, channels: Iterable[str]) -> None:
        self._store, self._slack = store, slack
        self._channels = [each for each in channels if CHANNEL_ID.fullmatch(each)]

    async def look(self) -> None:
        """A job under a lease. Without the scope for it there are no names; `doctor` says which is missing."""
        found: dict[str, str] = {}
        for key in await self._unknown():
            try:
                found[key] = await self._name(key)
            except SlackRefused:
                found[key] = ""
            except SlackCredentialError as error:
                if error.code != "missing_scope":
                    raise
                log.info("slack.no_name", id=key, reason=str(error))
                found[key] = ""
        if found:
            async with self._store.transaction() as tx:
                await hear_names(tx, found)

    async def _name(self, key: str) -> str:
        if USER_ID.fullmatch(key):
            return await name_of_person(self._slack, key)
        name = (await audience_of(self._slack, key)).name
        return "" if name == key else name

    async def _unknown(self) -> list[str]:
        """The ids to look up now: those never heard of first, then the longest unheard."""
        since = self._store.clock.now() - RECENT
        async with self._store.reading() as conn:
            wanted = {*self._channels, *await _people(conn, since)}
            query = select(slack_names.c.id, slack_names.c.heard_at).where(slack_names.c.id.in_(wanted))
            heard = {row.id: row.heard_at for row in await conn.execute(query)}
        old = sorted((at, key) for key, at in heard.items() if at < self._store.clock.now() - BELIEVED)
        return [*sorted(wanted - heard.keys()), *(key for _, key in old)][:AT_ONCE]


async def _people(conn: AsyncConnection, since: datetime) -> set[str]:
    """Whom the ledger names: who took a notice, and who got one as a direct message."""
    t, n, lanes = breach_targets.c, breach_notices.c, ENGINE.lanes.c
    queries = (
        select(t.taken_by).where(t.taken_by.is_not(None), t.changed_at >= since).distinct(),
        select(n.channel).where(n.channel.is_not(None), n.changed_at >= since).distinct(),
        select(lanes.lane).where(lanes.destination == POSTS),
    )
    found = {key for query in queries for key in (await conn.execute(query)).scalars()}
    return {key for key in found if USER_ID.fullmatch(key)}
