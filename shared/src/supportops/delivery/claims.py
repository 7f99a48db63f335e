"""Claiming due deliveries: heads of lanes only, under a lease and a token, within shared paces and budgets.

`lease_until` is set while a call is in flight and only then, even when the row was cancelled or re-armed meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from supportops.delivery.destination import Delivery, DestinationSpec
from supportops.delivery.lane_heads import Seen, Wanted, lease_heads
from supportops.delivery.outages import rows as breakers
from supportops.store import Store
from supportops.store.lanes import Lane, refresh

LEASE = timedelta(seconds=15)
ROUNDS = 20  # of one claim, each of which puts some lane right
HELD = timedelta(milliseconds=100)  # until a head that somebody is changing is looked at again


@dataclass(frozen=True)
class Claim:
    """What was claimed, and when it is worth looking again; None: not before something is scheduled or ends.

    `more`: there was more than the limit allowed. `spent`: the budget's moment before which no claim is worth it, None
    when it did not bind. `troubled`: the destination's breaker counts something; `broken`: it
    is open, and nothing may be claimed; `probe`: it is open, and this one row is out to see.
    """

    deliveries: list[Delivery]
    look_again_at: datetime | None = None
    more: bool = False
    spent: datetime | None = None
    troubled: bool = False
    broken: bool = False
    probe: bool = False


async def claim(store: Store, spec: DestinationSpec, limit: int) -> Claim:
    """Lease up to `limit` heads of lanes of a destination to the caller, the longest waiting first."""
    async with store.statements() as conn:
        found = await _claim(conn, spec, limit, store.clock.now())
    return await _claim_probe(store, spec) if found.broken else found


async def _claim_probe(store: Store, spec: DestinationSpec) -> Claim:
    """One row of a destination whose breaker is open, if its time has come: one at a time, of all replicas."""
    async with store.transaction() as tx:
        breaker = await breakers.lock_if_free(tx.conn, spec.name)
        if breaker is None or not breaker.is_open:
            return Claim([], tx.now + HELD, troubled=True)
        if (probe_at := breaker.next_probe(tx.now)) > tx.now:
            return Claim([], probe_at, troubled=True, broken=True)
        found = await _claim(tx.conn, replace(spec, batch=1, linger=timedelta(0)), 1, tx.now, probing=True)
        if found.deliveries:
            until = tx.now + spec.timeout + LEASE
            await breakers.save(tx, replace(breaker, state="half_open", probe_at=until, changed_at=tx.now))
    return replace(found, more=False, troubled=True, broken=True, probe=True)


async def _claim(
    conn: AsyncConnection, spec: DestinationSpec, limit: int, now: datetime, *, probing: bool = False
) -> Claim:
    """Claim; lanes whose moment was too early are put right and the claim is made again."""
    leased: list[Row[Any]] = []
    token = str(uuid7())
    for _ in range(ROUNDS):
        left = limit - len(leased)
        wanted = Wanted(
            destination=spec.name,
            limit=left,
            now=now,
            full=min(left, spec.batch),
            ripe=now - spec.linger,
            token=token,
            until=now + LEASE,
            probing=probing,
            asked=not spec.idempotent,
            budget=None if probing else spec.budget,
        )
        seen = await lease_heads(conn, wanted)
        leased += seen.leased
        spent = seen.more_at if seen.granted == len(seen.leased) else None
        await refresh(conn, {Lane(spec.name, lane): None for lane in seen.early}, now, only_unchanged=True)
        if len(leased) == limit or not seen.early or spent is not None:
            break
    look_again_at = _look_again(seen, spec, now)
    return Claim(
        _deliveries(leased, now),
        look_again_at if spent is None else _first(look_again_at, spent),
        more=spent is None and (bool(seen.early) or len(leased) == limit),
        spent=spent,
        troubled=seen.troubled,
        broken=seen.breaker not in (None, "closed"),
    )


def _look_again(seen: Seen, spec: DestinationSpec, now: datetime) -> datetime | None:
    """When another lane has its moment, when the linger of a partial batch is over, or a held row may be free."""
    if seen.since is None or seen.ready == len(seen.leased):
        return seen.upcoming
    lingers = not seen.leased and seen.since + spec.linger > now
    return _first(seen.upcoming, seen.since + spec.linger if lingers else now + HELD)


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _deliveries(rows: Sequence[Row[Any]], now: datetime) -> list[Delivery]:
    return [
        Delivery(
            id=row.id,
            destination=row.destination,
            lane=row.lane,
            key=row.key,
            generation=row.generation,
            payload=orjson.loads(row.payload),
            attempts=row.attempts,
            due_at=row.due_at,
            created_at=row.created_at,
            claimed_at=now,
            uncertain=bool(row.uncertain),
            token=row.token,
            history=row.history,
        )
        for row in rows
    ]
