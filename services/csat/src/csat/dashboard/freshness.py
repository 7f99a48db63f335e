"""How old the numbers are: counting follows what happens by a second or two, unless the worker stands."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables

ENOUGH = 2_000  # looked at on the request path; what is more is called "at least"

_STALE = select(tables.ticket_facts.c.noted_at).where(tables.ticket_facts.c.stale).limit(ENOUGH).subquery()
_OLDEST = select(func.count(), func.min(_STALE.c.noted_at))


@dataclass(frozen=True)
class Freshness:
    """Everything that happened before `as_of` is in the numbers; `waiting` tickets are not counted yet."""

    as_of: datetime
    waiting: int = 0

    @property
    def waiting_is_all(self) -> bool:
        """Whether `waiting` was counted to its end."""
        return self.waiting < ENOUGH


async def freshness(conn: AsyncConnection, now: datetime) -> Freshness:
    """As of when the numbers are true."""
    waiting, oldest = (await conn.execute(_OLDEST)).one()
    return Freshness(oldest or now, waiting)
