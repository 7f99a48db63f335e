"""What a courier puts right at its start and every ten minutes: missing lanes, moments of a clock that was wrong.

A worker whose clock was a day ahead once leaves leases, paces and waits that end tomorrow: none of ours is as long.
What it was asked to have done at once is due tomorrow, too, and was made tomorrow, by which it is known.
"""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import null, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.observability.logging import get_logger
from supportops.store import Store, is_outage
from supportops.store.lanes import Lane, adopt, refresh
from supportops.store.tables import ENGINE, waiting

EVERY = timedelta(minutes=10)
BITE = 5_000  # lanes in one statement
LONGEST_HOLD = timedelta(minutes=10)
"""Leases are renewed every few seconds, and no lane is paced slower than this."""
LONGEST_WAIT = timedelta(hours=12)
"""Between two attempts: the longest step of a schedule is six hours, with jitter less than eight."""
_D, _L = ENGINE.deliveries, ENGINE.lanes
_log = get_logger("supportops.courier")


async def keep_up(store: Store) -> None:
    """Look at once and every ten minutes, for ever; a look that fails is followed by the next."""
    while True:
        try:
            await upkeep(store)
        except (OSError, SQLAlchemyError) as error:
            _log.warning("upkeep.failed", error=str(error)[:300], outage=is_outage(error))
        await asyncio.sleep(EVERY.total_seconds())


async def upkeep(store: Store) -> None:
    """Look for what is wrong, and say what was put right."""
    async with store.statements() as conn:
        while adopted := await adopt(conn, BITE):
            _log.info("lanes.adopted", lanes=adopted)
        if freed := await _free_what_a_wrong_clock_holds(conn, store.clock.now()):
            _log.warning(
                "deliveries.freed", rows=freed, reason="their moments lie further ahead than is possible"
            )


async def _free_what_a_wrong_clock_holds(conn: AsyncConnection, now: datetime) -> int:
    """Rows first, lanes then, as in every transaction; how many of both."""
    held = _D.c.lease_until > now + LONGEST_HOLD
    leases = (
        update(_D).where(_D.c.lease_until.is_not(None), held).values(lease_until=now, next_attempt_at=now)
    )
    late = _D.c.next_attempt_at > now + LONGEST_WAIT
    tried = (waiting(_D), _D.c.state == "waiting", _D.c.attempts > 0, _D.c.due_at <= now)
    waits = update(_D).where(*tried, late).values(next_attempt_at=now)
    rows = (await conn.execute(leases)).rowcount + (await conn.execute(waits)).rowcount
    beyond = or_(_L.c.free_at > now + LONGEST_HOLD, _L.c.claimable_at > now + LONGEST_WAIT)
    lanes = update(_L).where(beyond if rows else _L.c.free_at > now + LONGEST_HOLD)
    look = lanes.values(free_at=null(), claimable_at=now, version=_L.c.version + 1)
    rows += (await conn.execute(look)).rowcount
    return rows + await _free_what_was_due_at_once(conn, now)


async def _free_what_was_due_at_once(conn: AsyncConnection, now: datetime) -> int:
    """Of what such a clock has scheduled: a time that was chosen stays, for it may rest on another clock."""
    at_once = (waiting(_D), _D.c.state == "waiting", _D.c.due_at == _D.c.created_at)
    due = update(_D).where(*at_once, _D.c.next_attempt_at > now, _D.c.created_at > now + LONGEST_HOLD)
    moved = due.values(due_at=now, next_attempt_at=now).returning(_D.c.destination, _D.c.lane)
    freed = (await conn.execute(moved)).all()
    if freed:
        lanes = {Lane(row.destination, row.lane): None for row in freed}
        await refresh(conn, lanes, now, only_unchanged=True)
    return len(freed)
