"""Reads the targets of tickets that a rule could concern, and arms, moves or calls off their notices.

Readings follow events, precede notices by some seconds, and come without a hint for tickets that could breach soon.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, case, or_, select

from notifier.breaches.arming import Quiet, plan
from notifier.breaches.context import BreachContext
from notifier.breaches.repository import (
    Record,
    Row,
    record_in,
    records_of,
    schedule_look,
    told_of,
    write_plan,
)
from notifier.breaches.targets import ALIVE, ENDED, SETTLED, Reading, TargetState, state_of
from notifier.destinations import BREACH_TAGS, BREACH_UPDATES, SLA_READINGS
from notifier.tables import breach_targets, breach_tickets
from supportops.business_hours import BusinessHours
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.pausing import quota_pauses_all
from supportops.errors import DestinationPaused, SupportOpsError, Unreadable
from supportops.store import Transaction
from supportops.vendors.zendesk import Rows
from supportops.workers.periodic import Periodic

MANY = 20
MARGIN = timedelta(minutes=10)
SOON = timedelta(seconds=1)


class SlaReadings:
    """Reads tickets and plans their notices; lane = ticket."""

    def __init__(self, context: BreachContext) -> None:
        self._context = context
        times = (SOON, 5 * SOON, 15 * SOON, *[timedelta(minutes=1)] * 10)
        self.spec = DestinationSpec(SLA_READINGS, batch=MANY, concurrency=4, schedule=times, idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One reading for each ticket, all of them in few calls."""
        ids = [str(delivery.payload["ticket_id"]) for delivery in deliveries]
        with quota_pauses_all():
            readings, hours = await self._readings(ids), await self._context.hours()
        async with self._context.store.reading() as conn:
            records = await records_of(conn, ids)
        return [await self._planned(readings[each], records[each], hours) for each in ids]

    async def _readings(self, ids: Sequence[str]) -> Mapping[str, Reading | SupportOpsError]:
        """The readings; what Zendesk refuses of one ticket is that one's, and takes no other along.

        Two tickets in a row that fail are an outage: nobody waits for the others one by one.
        """
        read = self._context.reader.read
        try:
            return _told(await read(ids))
        except DestinationPaused:
            raise
        except SupportOpsError as error:
            if len(ids) == 1 or getattr(error, "after", None) is not None:
                raise
        found: dict[str, Reading | SupportOpsError] = {}
        failed: SupportOpsError | None = None
        for each in dict.fromkeys(ids):
            try:
                found |= _told(await read([each]))
            except DestinationPaused:
                raise
            except SupportOpsError as error:
                if failed is not None:
                    raise
                failed = found[each] = error
            else:
                failed = None
        return found

    async def _planned(
        self, reading: Reading | SupportOpsError, record: Record, hours: BusinessHours | None
    ) -> Outcome | BaseException:
        if isinstance(reading, Unreadable):
            return Cancel(f"{reading}; what was planned stays, and it is read again")
        if isinstance(reading, SupportOpsError):
            return reading
        return self._outcome(reading, record, hours, await self._context.quiet(reading))

    def _outcome(
        self, reading: Reading, record: Record, hours: BusinessHours | None, quiet: Quiet | None
    ) -> Outcome:
        rule, objection = self._context.rule_of(reading.facts)
        if rule is None and record.ticket is None:
            return Cancel(reading.gone or objection)

        async def then(tx: Transaction) -> None:
            await write_reading(tx, self._context, reading, record, hours, quiet)

        running = {key: target.stage for key, target in reading.running().items()}
        said = {"rule": rule.name if rule else None, "objection": objection or None, "running": running}
        return Done(said, then, record.reads(reading.ticket_id))


def _told(readings: Rows[Reading]) -> Mapping[str, Reading | SupportOpsError]:
    return {**readings, **readings.unreadable}


async def write_reading(
    tx: Transaction,
    context: BreachContext,
    reading: Reading,
    record: Record,
    hours: BusinessHours | None,
    quiet: Quiet | None,
) -> None:
    """Keep a reading, unless a newer one is there, and all that follows from it."""
    record = await record_in(tx, reading.ticket_id, record)
    before = record.ticket or {}
    if before.get("read_at") is not None and before["read_at"] > reading.read_at:
        return
    now_is = context.situation(reading, record, hours, tx.now, quiet)
    tx.rows(breach_tickets).put(
        reading.ticket_id,
        reading=msgspec.json.encode(reading).decode(),
        read_at=reading.read_at,
        next_breach_at=min(
            (each.breach_at for each in reading.running().values() if each.breach_at), default=None
        ),
        rule=now_is.rule.name if now_is.rule else None,
        objection=now_is.objection or None,
        open=reading.gone is None and reading.status not in ENDED,
        changed_at=tx.now,
    )
    asked = plan(now_is, tx.now)
    await write_plan(tx, asked, record, now_is, context.version, context.rules.look_before)
    for target in {notice.target: notice for notice in asked.wanted.values()}.values():
        after = target.breach_at + context.rules.reading_delay
        schedule_look(tx, reading.ticket_id, f"after:{target.target}", after)
    _write_states(tx, reading, record)
    take_tag_away(tx, reading.ticket_id, record.ticket)


def _write_states(tx: Transaction, reading: Reading, record: Record) -> None:
    """What became of the targets that people were told of; their messages follow."""
    replied_at = record.ticket["replied_at"] if record.ticket else None
    for key, row in record.targets.items():
        told = told_of(row)
        state = state_of(told, reading, replied_at, tx.now)
        ends = row["taken_until"] is not None and _ends_taking(state, told.state, replied_at, row)
        if state is not told.state or ends:
            freed = {"taken_by": None, "taken_at": None, "taken_until": None} if ends else {}
            change_target(tx, key, row, state=state, **freed)
        elif row["taken_by"] is not None and row["taken_until"] <= tx.now:
            change_target(tx, key, row, taken_by=None, taken_at=None, taken_until=None)


def _ends_taking(state: TargetState, before: TargetState, replied_at: datetime | None, row: Any) -> bool:
    """A public reply ends it, and so does the end of the target itself."""
    if state in SETTLED or (state not in ALIVE and before in ALIVE):
        return True
    return replied_at is not None and replied_at > row["taken_at"]


def change_target(tx: Transaction, key: str, row: Any, **values: Any) -> None:
    """Change a target that people were told of, and have its messages say so."""
    revision = row["revision"] + 1
    tx.rows(breach_targets).put(key, **values, revision=revision, changed_at=tx.now)
    payload = {"target": key, "ticket_id": row["ticket_id"]}
    tx.deliveries.schedule(BREACH_UPDATES, f"{key}:{revision}", lane=key, payload=payload)


def take_tag_away(tx: Transaction, ticket_id: str, row: Row | None) -> None:
    """The tag goes after an agent's public reply, so that people see that the next target is told of anew."""
    if row is None or row["tag"] is None or row["replied_at"] is None:
        return
    if row["replied_at"] > row["tagged_at"]:
        at = int(row["replied_at"].timestamp())
        payload = {"ticket_id": ticket_id, "tag": row["tag"], "take_away": True}
        tx.deliveries.schedule(BREACH_TAGS, f"{ticket_id}:away:{at}", lane=ticket_id, payload=payload)


def poll(context: BreachContext) -> Periodic:
    """Reads tickets without a hint, so that a lost one costs a minute: those that could breach soon first."""

    async def read_some() -> None:
        now = context.store.clock.now()
        async with context.store.transaction() as tx:
            query = worth_a_look(now, context.rules.longest_lead + MARGIN, context.rules.poll_every)
            found = (await tx.read(query.limit(context.rules.poll_reads))).scalars().all()
            for ticket_id in found:
                minute = int(now.timestamp() // context.rules.poll_every.total_seconds())
                tx.deliveries.schedule(
                    SLA_READINGS,
                    f"{ticket_id}:poll:{minute}",
                    lane=ticket_id,
                    payload={"ticket_id": ticket_id},
                )

    return Periodic("notifier.sla_poll", context.store, read_some, context.rules.poll_every)


def worth_a_look(now: datetime, horizon: timedelta, every: timedelta) -> Any:
    """Watched tickets that are open and were not read for `every`: those with a breach within `horizon` first.

    Then those that a rule concerns, then (a paused one may run again) all others; each the longest unread first.
    """
    t = breach_tickets.c
    soon = and_(t.next_breach_at.is_not(None), t.next_breach_at <= now + horizon)
    urgency = case((soon, 0), (t.rule.is_not(None), 1), else_=2)
    return (
        select(t.ticket_id)
        .where(t.open, or_(t.read_at.is_(None), t.read_at <= now - every))
        .order_by(urgency, t.read_at)
    )
