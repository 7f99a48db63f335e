"""Claiming due deliveries: heads of lanes only, under a lease and a token, within shared paces and budgets.

Which rows may be claimed is for `lane_heads.py` to say. `next_attempt_at` is never before `due_at` nor, while leased,
before `lease_until`, so that one index finds what can be claimed among millions of finished and future rows.
`lease_until` is set while a call is in flight and only then, even when the row was cancelled or re-armed meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    Row,
    Update,
    bindparam,
    or_,
    text,
    update,
)
from uuid_utils import uuid7

from supportops.delivery.destination import Delivery, DestinationSpec
from supportops.delivery.lane_heads import find_heads
from supportops.delivery.rate_limits import Rates
from supportops.store.key_lookup import among, as_parameter
from supportops.store.tables import ENGINE
from supportops.store.transaction import Transaction

LEASE = timedelta(seconds=15)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:name))")


@dataclass(frozen=True)
class Claim:
    """What was claimed, and when it is worth looking again if nothing (or not all) could be.

    `more`: rows are due that may be claimable as soon as a call has ended.
    """

    deliveries: list[Delivery]
    look_again_at: datetime | None = None
    more: bool = False


async def claim(tx: Transaction, spec: DestinationSpec, limit: int) -> Claim:
    """Lease up to `limit` heads of lanes of a destination to the caller, in due order.

    Claims of one destination take turns (an advisory lock; SQLite has one writer anyway): lanes stay exclusive and
    shared budgets exact, however many replicas claim.
    """
    if tx.conn.dialect.name == "postgresql":
        await tx.conn.execute(_LOCK, {"name": f"claim:{spec.name}"})
    rates = Rates(tx.conn, tx.now)
    paused_until = await rates.busy_until([pause_name(spec.name)])
    if paused_until:
        return Claim([], min(paused_until.values()))
    found = await find_heads(tx.conn, spec.name, tx.now, limit)
    heads = found.rows
    if not heads:
        return Claim([], more=found.more)
    if len(heads) < min(limit, spec.batch) and (full_at := heads[0].next_attempt_at + spec.linger) > tx.now:
        return Claim([], full_at)
    heads, look_again_at = await _within_rates(tx, rates, spec, heads, limit)
    return Claim(await _lease(tx, heads) if heads else [], look_again_at, found.more)


def pause_name(destination: str) -> str:
    """The rate that is busy while a destination is paused."""
    return f"pause:{destination}"


async def _within_rates(
    tx: Transaction, rates: Rates, spec: DestinationSpec, heads: Sequence[Row[Any]], limit: int
) -> tuple[Sequence[Row[Any]], datetime | None]:
    """The heads that lane paces and the budget allow now; the others wait, and when to look again."""
    look_again: list[datetime] = []
    if spec.lane_pace is not None:
        busy = await rates.busy_until([lane_name(spec, head.lane) for head in heads])
        late = [
            (head.id, busy[lane_name(spec, head.lane)])
            for head in heads
            if lane_name(spec, head.lane) in busy
        ]
        await _defer(tx, late)
        look_again += [free_at for _, free_at in late]
        if len(late) == limit:
            look_again.append(tx.now)  # these are out of the way now; behind them may be lanes that are free
        heads = [head for head in heads if lane_name(spec, head.lane) not in busy]
    if spec.budget is not None and heads:
        granted, free_at = await rates.take(spec.budget, len(heads))
        heads = heads[:granted]
        look_again += [free_at] if free_at else []
    if spec.lane_pace is not None and heads:
        free_at = tx.now + spec.lane_pace.interval
        await rates.set_busy({lane_name(spec, head.lane): free_at for head in heads})
    return heads, min(look_again, default=None)


def lane_name(spec: DestinationSpec, lane: str) -> str:
    """The rate of one lane of a paced destination."""
    return f"lane:{spec.name}:{lane}"


async def _defer(tx: Transaction, rows: list[tuple[str, datetime]]) -> None:
    """Move the next attempt of heads whose lane is not free yet, so that nobody looks at them before."""
    d = ENGINE.deliveries
    by_moment: dict[datetime, list[str]] = {}
    for row_id, moment in rows:
        by_moment.setdefault(moment, []).append(row_id)
    for moment, ids in by_moment.items():
        await tx.conn.execute(update(d).where(d.c.id.in_(ids)).values(next_attempt_at=moment))


async def _lease(tx: Transaction, heads: Sequence[Row[Any]]) -> list[Delivery]:
    token, until, dialect = str(uuid7()), tx.now + LEASE, tx.conn.dialect.name
    ids = as_parameter([head.id for head in heads], dialect)
    await tx.conn.execute(_lease_statement(dialect), {"ids": ids, "b_token": token, "b_until": until})
    return [_delivery(head, token, tx.now) for head in heads]


@cache
def _lease_statement(dialect: str) -> Update:
    d = ENGINE.deliveries
    until: BindParameter[datetime] = bindparam("b_until", type_=d.c.due_at.type)
    return (
        update(d)
        .where(among(d.c.id, "ids", dialect))
        .values(
            state="leased",
            token=bindparam("b_token"),
            lease_until=until,
            next_attempt_at=until,
            attempts=d.c.attempts + 1,
            uncertain=or_(d.c.uncertain, d.c.state == "leased"),
        )
    )


def _delivery(head: Row[Any], token: str, now: datetime) -> Delivery:
    return Delivery(
        id=head.id,
        destination=head.destination,
        lane=head.lane,
        key=head.key,
        generation=head.generation,
        payload=orjson.loads(head.payload),
        attempts=head.attempts + 1,
        due_at=head.due_at,
        created_at=head.created_at,
        claimed_at=now,
        uncertain=bool(head.uncertain) or head.state == "leased",
        token=token,
    )
