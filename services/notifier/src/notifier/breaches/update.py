"""Keeps what was posted true: messages show how their target stands, by editing themselves; tags follow for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from notifier.breaches.context import BreachContext
from notifier.breaches.post import facts_of
from notifier.breaches.render import render
from notifier.breaches.repository import CAN_WAIT, Record, Row, records_of
from notifier.breaches.watch import take_tag_away
from notifier.destinations import BREACH_NOTICES, BREACH_TAGS, BREACH_UPDATES
from notifier.slack.client import Posted, SlackRateLimited, SlackRefused, SlackTargetGone
from notifier.tables import breach_notices, breach_tickets
from supportops.delivery import (
    Budget,
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Rate,
    Snooze,
)
from supportops.delivery.pausing import while_it_can_be_tagged
from supportops.errors import DestinationPaused
from supportops.store import Transaction
from supportops.store.tables import ENGINE
from supportops.vendors.zendesk import Ticket

GONE = "gone"
MINUTE = timedelta(minutes=1)
BEHIND = timedelta(seconds=2)


async def _behind_notices(context: BreachContext, delivery: Delivery) -> Outcome | None:
    """Notices that are due go first: what nobody waits for comes when they are posted, or a minute later."""
    now, lanes = context.store.clock.now(), ENGINE.lanes.c
    if now - delivery.created_at >= MINUTE:
        return None
    due = select(lanes.lane).where(lanes.destination == BREACH_NOTICES, lanes.claimable_at <= now).limit(1)
    async with context.store.reading() as conn:
        waits = (await conn.execute(due)).first() is not None
    return Snooze(BEHIND, "notices are due, and go first") if waits else None


class BreachUpdates:
    """Edits the messages of a target; lane = target. An edit may be made twice."""

    spec = DestinationSpec(BREACH_UPDATES, idempotent=True)

    def __init__(self, context: BreachContext) -> None:
        self._context = context

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._one(each) for each in deliveries]

    async def _one(self, delivery: Delivery) -> Outcome:
        if delivery.payload.get(CAN_WAIT) and (wait := await _behind_notices(self._context, delivery)):
            return wait
        return await self._edit(str(delivery.payload["ticket_id"]), str(delivery.payload["target"]))

    async def _edit(self, ticket_id: str, target: str) -> Outcome:
        async with self._context.store.reading() as conn:
            record = (await records_of(conn, [ticket_id]))[ticket_id]
        changed: dict[str, str] = {}
        refused: list[str] = []
        for key, row in record.notices.items():
            if row["target"] == target and row["ts"] is not None and row["digest"] != GONE:
                try:
                    digest = await self._edit_one(row, record)
                except SlackRefused as error:  # of this message: the others are edited all the same
                    refused.append(str(error))
                    continue
                if digest != row["digest"]:
                    changed[key] = digest
        then = partial(_note_digests, digests=changed)
        if refused:
            return Discard("; ".join(refused), then)
        return Done({"edited": len(changed)}, then) if changed else Cancel("every message shows it already")

    async def _edit_one(self, row: Row, record: Record) -> str:
        """The digest of what the message shows from now on."""
        reading, rule = record.reading, self._context.rules.rule(row["rule"])
        if reading is None or rule is None:
            return str(row["digest"])
        target, now = record.targets.get(row["target"]), self._context.store.clock.now()
        message = render(facts_of(reading, row, target, now), rule, self._context.base_url)
        if message.digest != row["digest"]:
            try:
                await self._context.slack.update(Posted(row["address"], row["ts"]), message)
            except SlackRateLimited as error:  # chat.update has one limit for the workspace
                raise DestinationPaused(str(error), error.after) from error
            except SlackTargetGone:
                return GONE
        return message.digest


async def _note_digests(tx: Transaction, *, digests: dict[str, str]) -> None:
    rows = await tx.load(breach_notices, digests)
    for key, digest in digests.items():
        rows.put(key, digest=digest, changed_at=tx.now)


class BreachTags:
    """Writes the rule's tag into a ticket that people were told of, and takes it away again; lane = ticket.

    It is for people and for other systems, and decides nothing.
    """

    def __init__(self, context: BreachContext) -> None:
        self._context = context
        pace = context.rules.ticket_updates_per_minute
        budget = None if pace is None else Budget("zendesk.ticket_updates", Rate(pace, MINUTE))
        self.spec = DestinationSpec(BREACH_TAGS, concurrency=2, budget=budget, idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [
            await _behind_notices(self._context, delivery) or await self._write(delivery)
            for delivery in deliveries
        ]

    async def _write(self, delivery: Delivery) -> Outcome:
        ticket_id, tag = str(delivery.payload["ticket_id"]), str(delivery.payload["tag"])
        away = bool(delivery.payload.get("take_away"))

        async def once() -> Outcome:
            ticket = await self._context.zendesk.ticket(ticket_id)
            return Cancel("the ticket is gone") if ticket is None else await self._change(ticket, tag, away)

        return await while_it_can_be_tagged(once)

    async def _change(self, ticket: Ticket, tag: str, away: bool) -> Outcome:
        began = self._context.store.clock.now()
        if away and tag in ticket.tags:
            await self._context.zendesk.remove_tags(ticket.id, [tag], updated_stamp=ticket.updated_at)
        elif not away and tag not in ticket.tags:
            await self._context.zendesk.add_tags(ticket.id, [tag], updated_stamp=ticket.updated_at)
        note = partial(_note_tag, ticket_id=ticket.id, tag=None if away else tag, at=began)
        return Done({"tag": tag, "away": away}, note, ((breach_tickets, ticket.id),))


async def _note_tag(tx: Transaction, *, ticket_id: str, tag: str | None, at: datetime) -> None:
    """Note the tag as of the moment before it was written: an agent may reply at the very next one."""
    rows = await tx.load(breach_tickets, [ticket_id])
    if rows.get(ticket_id) is not None:
        rows.put(ticket_id, tag=tag, tagged_at=at if tag else None, changed_at=tx.now)
        take_tag_away(tx, ticket_id, rows.get(ticket_id))
