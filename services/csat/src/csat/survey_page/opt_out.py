"""A requester who does not want to be asked any more, and who changes their mind.

`csat.surveys.exclusion_rules` reads `requesters.opted_out_at`. The survey at hand stays open: its answer is welcome
all the same.
"""

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from supportops.store import Transaction
from supportops.store.upsert import insert_for

Wish = Literal["stop", "resume"]


async def opt_out(tx: Transaction, requester_id: str) -> bool:
    """Never ask this requester again; the moment of the first wish is kept. False: that was known."""
    insert = insert_for(tx.dialect, tables.requesters).values(
        requester_id=requester_id, opted_out_at=tx.now, changed_at=tx.now
    )
    statement = insert.on_conflict_do_update(
        index_elements=[tables.requesters.c.requester_id],
        set_={"opted_out_at": tx.now, "changed_at": tx.now},
        where=tables.requesters.c.opted_out_at.is_(None),
    )
    return (await tx.execute(statement)).rowcount > 0


async def opt_in(tx: Transaction, requester_id: str) -> bool:
    """This requester may be asked again. False: there was no wish to take back."""
    requesters = tables.requesters.c
    stopped = (requesters.requester_id == requester_id) & requesters.opted_out_at.is_not(None)
    statement = update(tables.requesters).where(stopped).values(opted_out_at=None, changed_at=tx.now)
    return (await tx.execute(statement)).rowcount > 0


async def has_opted_out(conn: AsyncConnection, requester_id: str) -> bool:
    """Whether this requester does not want to be asked."""
    requesters = tables.requesters.c
    query = select(requesters.opted_out_at).where(requesters.requester_id == requester_id)
    return (await conn.execute(query)).scalar_one_or_none() is not None
