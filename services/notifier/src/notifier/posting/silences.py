"""Silences: by rule, ticket or organization, each with a reason and an end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier import tables
from supportops.store import Store, Transaction

About = Literal["rule", "ticket", "organization"]
BELIEVED = timedelta(seconds=2)  # how long what was read of them is taken for true
_S = tables.silences.c


@dataclass(frozen=True)
class Silence:
    """Nothing about `value` (a rule's name, a ticket's or an organization's id) is posted before `ends_at`."""

    id: str
    about: About
    value: str
    reason: str
    made_by: str
    starts_at: datetime
    ends_at: datetime


async def add(tx: Transaction, silence: Silence) -> None:
    """Begin a silence."""
    await tx.execute(tables.silences.insert(), vars(silence))


async def end(tx: Transaction, silence_id: str) -> bool:
    """End a silence now; False when there is none that still holds."""
    holds = (_S.id == silence_id, _S.ends_at > tx.now)
    done = await tx.execute(update(tables.silences).where(*holds).values(ends_at=tx.now))
    return done.rowcount > 0


async def in_force(conn: AsyncConnection, now: datetime) -> Sequence[Silence]:
    """The silences that hold at a moment, those that end first before the others."""
    query = select(tables.silences).where(_S.starts_at <= now, _S.ends_at > now).order_by(_S.ends_at)
    return [_silence(row) for row in (await conn.execute(query)).mappings()]


def _silence(row: Any) -> Silence:
    return Silence(**{name: row[name] for name in Silence.__dataclass_fields__})


class Silences:
    """The silences in force, as a worker sees them: read again every few seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: Sequence[Silence] = ()
        self._until: datetime | None = None
        self._reading = asyncio.Lock()  # hundreds of messages that are due at once wait for one reading

    async def of(self, *, rule: str, ticket_id: str, organization_id: str | None) -> Silence | None:
        """The silence that holds longest for a message, if there is one."""
        now = self._store.clock.now()
        if not self._is_fresh(now):
            async with self._reading:
                now = self._store.clock.now()
                if not self._is_fresh(now):
                    async with self._store.reading() as conn:
                        self._known = await in_force(conn, now)
                    self._until = now + BELIEVED
        about = {("rule", rule), ("ticket", ticket_id), ("organization", organization_id)}
        mine = [each for each in self._known if (each.about, each.value) in about and each.ends_at > now]
        return max(mine, key=lambda each: each.ends_at, default=None)

    def _is_fresh(self, now: datetime) -> bool:
        return self._until is not None and now < self._until < now + 2 * BELIEVED
