"""A requester who does not want to be asked any more, and who changes their mind.

`csat.surveys.exclusion_rules` reads `requesters.opted_out_at`. The survey at hand stays open: its answer is welcome
all the same.
"""

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.surveys.people import accounts_of
from supportops.store import Transaction
from supportops.store.upsert import insert_for

Wish = Literal["stop", "resume"]


async def opt_out(tx: Transaction, requester_id: str) -> bool:
    """Never ask this person again, by any account; the moment of the first wish is kept. False: that was known."""
    known = [await _stop(tx, account) for account in await accounts_of(tx, requester_id)]
    return any(known)


async def _stop(tx: Transaction, requester_id: str) -> bool:
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
    """This person may be asked again. False: there was no wish to take back."""
    requesters = tables.requesters.c
    accounts = await accounts_of(tx, requester_id)
    stopped = requesters.requester_id.in_(accounts) & requesters.opted_out_at.is_not(None)
    statement = update(tables.requesters).where(stopped).values(opted_out_at=None, changed_at=tx.now)
    return (await tx.execute(statement)).rowcount > 0


async def has_opted_out(conn: AsyncConnection, requester_id: str) -> bool:
    """Whether this requester does not want to be asked."""
    requesters = tables.requesters.c
    query = select(requesters.opted_out_at).where(requesters.requester_id == requester_id)
    return (await conn.execute(query)).scalar_one_or_none() is not None
