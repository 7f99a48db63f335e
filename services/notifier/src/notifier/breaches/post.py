"""Breach notices as deliveries: decide at the due moment, post once, keep what was decided (docs/rules.md N1, N2).

The decision is made from a reading that is some seconds old, or from a new one where Zendesk answers at once; where it
does not, from the last one: a notice that may be mistaken is better than one that is late. After an unknown outcome the
channel's history tells; where it cannot be read, a notice is repeated rather than lost.
What our tables know of notices that are due together is read together; each is decided and posted for itself.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from notifier.breaches.arming import NoticeState, Refusal, Situation, decide
from notifier.breaches.context import BreachContext
from notifier.breaches.render import EVENT_TYPE, NoticeFacts, render
from notifier.breaches.repository import BEFORE, CAN_WAIT, Record, Row, is_taken, records_of, schedule_look
from notifier.breaches.targets import Reading, TargetState
from notifier.destinations import BREACH_NOTICES, BREACH_TAGS, BREACH_UPDATES, SECOND_ROADS
from notifier.policy.breaches import BreachRule
from notifier.slack.client import Posted, SlackRateLimited, SlackRefused
from notifier.slack.message import Json, Message
from notifier.slack.pacing import workspace_budget
from notifier.slack.sender import Sender
from notifier.tables import breach_notices, breach_targets
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Rate, Snooze
from supportops.store import Transaction

SECOND = timedelta(seconds=1)
BATCH = 8
"""Channels whose notices are read together. One that Slack keeps waiting holds up the next notices of the others."""
CALLS = 25  # of BATCH each: 200 channels at once
GONE = "it is not on record any more"
ANOTHER_RULE = "another rule concerns the ticket by now"


class BreachNotices:
    """Posts notices; lane = channel. Feed lines wait in lanes of their own."""

    def __init__(self, context: BreachContext, sender: Sender) -> None:
        self._context, self._sender = context, sender
        pace = context.policy.channel_pace
        self.spec = DestinationSpec(
            BREACH_NOTICES,
            batch=BATCH,
            concurrency=CALLS,
            schedule=(SECOND, 2 * SECOND, 5 * SECOND, *[15 * SECOND] * 20, *[timedelta(minutes=5)] * 24),
            lane_pace=None if pace is None else Rate(1, pace),
            budget=workspace_budget(context.rules.posts_per_minute, urgent=True),
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One outcome per notice; what goes wrong with one is its own."""
        records = await self._records(deliveries)
        deciding = [self._decide(each, records[_ticket_of(each)]) for each in deliveries]
        return await asyncio.gather(*deciding, return_exceptions=True)

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        key = str(delivery.payload["notice"])
        record = (await self._records([delivery]))[_ticket_of(delivery)]
        row, reading = record.notices.get(key), record.reading
        if row is None or reading is None:
            return Cancel(GONE)
        for name in dict.fromkeys((row["rule"], delivery.payload.get(BEFORE))):
            rule = self._context.rules.rule(name) if name else None
            if rule is None:
                continue
            found = await self._sender.find(rule.channel, EVENT_TYPE, key, delivery.created_at)
            if found is not None:
                return self._posted(delivery, row, rule, found, self._message(reading, row, record, rule))
        return None

    async def _records(self, deliveries: Sequence[Delivery]) -> dict[str, Record]:
        async with self._context.store.reading() as conn:
            return await records_of(conn, map(_ticket_of, deliveries))

    async def _decide(self, delivery: Delivery, record: Record) -> Outcome:
        key = str(delivery.payload["notice"])
        row, reading = record.notices.get(key), record.reading
        if row is None or reading is None or row["state"] != NoticeState.PLANNED:
            return Cancel(
                GONE if row is None or reading is None else f"it is {row['state']}: {row['reason']}"
            )
        reading, unverified = await self._context.fresh.read(reading, record.ticket)
        now = self._context.store.clock.now()
        hours, quiet = await self._context.hours(), await self._context.quiet(reading)
        now_is = self._context.situation(reading, record, hours, now, quiet)
        refusal = decide(key, now_is, now)
        if refusal is not None or now_is.rule is None:
            return refused(self._context, delivery, refusal or Refusal(now_is.objection), now_is)
        if (
            now_is.rule.name != row["rule"] and not unverified
        ):  # it goes to another channel: that lane, and its pace
            return refused(self._context, delivery, Refusal(ANOTHER_RULE), now_is)
        message = self._message(reading, row, record, now_is.rule, unverified)
        return await self._post(delivery, row, now_is.rule, message)

    def _message(
        self, reading: Reading, row: Row, record: Record, rule: BreachRule, unverified: bool = False
    ) -> Message:
        target, now = record.targets.get(row["target"]), self._context.store.clock.now()
        facts = replace(facts_of(reading, row, target, now), unverified=unverified)
        return render(facts, rule, self._context.base_url)

    async def _post(self, delivery: Delivery, row: Row, rule: BreachRule, message: Message) -> Outcome:
        key = str(delivery.payload["notice"])
        metadata = metadata_of(key, row["ticket_id"])
        try:
            posted = await self._sender.post(rule.channel, message, metadata)
        except SlackRateLimited as error:
            after = error.after or SECOND
            if rule.second_roads and self._context.store.clock.now() + after > patience_ends(
                row, self._context.rules
            ):
                return self._elsewhere(
                    delivery, row, f"Slack lets the channel wait for {after.total_seconds():.0f} s"
                )
            return Snooze(after, str(error))
        except SlackRefused as error:  # of this channel, or of this message: another road takes plainer words
            if rule.second_roads:
                return self._elsewhere(delivery, row, str(error))
            return Discard(str(error))
        return self._posted(delivery, row, rule, posted, message)

    def _posted(
        self, delivery: Delivery, row: Row, rule: BreachRule, posted: Posted, message: Message
    ) -> Outcome:
        key = str(delivery.payload["notice"])
        late = self._context.store.clock.now() - max(row["due_at"], row["armed_at"])
        self._context.metrics.count("breach_notices", outcome="posted")
        self._context.metrics.observe("breach_notice_lateness_seconds", max(0.0, late.total_seconds()))
        shown = {"road": "slack", "channel": rule.channel, "address": posted.channel, "ts": posted.ts}
        version, digest = self._context.version, message.digest

        async def then(tx: Transaction) -> None:
            values = shown | {"digest": digest, "rules_version": version}
            await record_posted(tx, key, row, rule, values)
            after = self._context.rules.reading_delay
            schedule_look(tx, row["ticket_id"], f"next:{key}", tx.now + after)

        reads = ((breach_notices, key), (breach_targets, row["target"]))
        return Done(shown | {"late_ms": _milliseconds(late)}, then, reads)

    def _elsewhere(self, delivery: Delivery, row: Row, reason: str) -> Outcome:
        """The notice goes another way; this one ends."""

        async def then(tx: Transaction) -> None:
            schedule_second_road(tx, str(delivery.payload["notice"]), row, reason)

        return Cancel(f"{reason}: it goes another way", then)


def refused(context: BreachContext, delivery: Delivery, refusal: Refusal, now_is: Situation) -> Outcome:
    """The notice of a delivery does not go out: kept with its reason, and asked anew when that may have changed."""
    key, version = str(delivery.payload["notice"]), context.version

    async def then(tx: Transaction) -> None:
        rows = await tx.load(breach_notices, [key])
        row = rows.get(key)
        if row is None or row["state"] != NoticeState.PLANNED:
            return  # it was told on another road, or called off
        decision = {"state": refusal.state, "reason": refusal.reason, "decided_at": tx.now}
        rows.put(key, **decision, rules_version=version, changed_at=tx.now)
        schedule_look(tx, _ticket_of(delivery), f"no:{delivery.key}", tx.now + SECOND)
        if now_is.quiet is not None:
            schedule_look(tx, _ticket_of(delivery), f"quiet:{delivery.key}", now_is.quiet.until)

    context.metrics.count("breach_notices", outcome="decided_no")
    return Cancel(refusal.reason, then)


def patience_ends(row: Row, rules: Any) -> datetime:
    """Until when a notice may wait for Slack: a while, and never so long that half of its lead is gone."""
    lead = row["breach_at"] - row["due_at"]
    wait = min(rules.second_road_after, lead / 2) if lead > timedelta() else rules.second_road_after
    until: datetime = max(row["due_at"], row["armed_at"]) + wait
    return until


def schedule_second_road(tx: Transaction, key: str, row: Row, reason: str) -> None:
    """Have the notice sent on the second roads of its rule, once; of several, those that were due first."""
    payload = {"notice": key, "ticket_id": row["ticket_id"], "reason": reason}
    tx.deliveries.schedule(
        SECOND_ROADS, f"{key}#{row['round']}", lane=key, payload=payload, due_at=row["due_at"]
    )


async def record_posted(
    tx: Transaction, key: str, row: Row, rule: BreachRule, values: dict[str, Any]
) -> None:
    """Write down that people were told, now, and what follows: the target's state, the tag."""
    notices, targets = await tx.load(breach_notices, [key]), await tx.load(breach_targets, [row["target"]])
    late = tx.now - max(row["due_at"], row["armed_at"])
    said = {"state": NoticeState.POSTED, "reason": None, "decided_at": tx.now, "posted_at": tx.now}
    notices.put(key, **said, late_ms=_milliseconds(late), rule=rule.name, **values, changed_at=tx.now)
    if targets.get(row["target"]) is None:
        state = TargetState.BREACHED if row["breach_at"] <= tx.now else TargetState.OPEN
        facts = {name: row[name] for name in ("ticket_id", "metric", "breach_at")}
        targets.put(row["target"], **facts, rule=rule.name, told_at=tx.now, state=state, changed_at=tx.now)
    else:
        update = {"target": row["target"], "ticket_id": row["ticket_id"], CAN_WAIT: True}
        tx.deliveries.schedule(
            BREACH_UPDATES, f"{row['target']}:after:{key}", lane=row["target"], payload=update
        )
    if rule.tag is not None:
        tag = {"ticket_id": row["ticket_id"], "tag": rule.tag}
        tx.deliveries.schedule(
            BREACH_TAGS, f"{row['ticket_id']}:add:{key}", lane=row["ticket_id"], payload=tag
        )


def metadata_of(key: str, ticket_id: str) -> Json:
    """Everybody in the workspace can read it: ids only (docs/vendors/slack.md#metadata)."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "ticket_id": int(ticket_id)}}


def facts_of(reading: Reading, row: Row, target: Row | None, now: datetime) -> NoticeFacts:
    """What a notice tells of its target as that stands now."""
    breached = TargetState.BREACHED if row["breach_at"] <= now else TargetState.OPEN
    facts = NoticeFacts(
        row["ticket_id"], reading.subject, row["metric"], row["breach_at"], row["target"], breached
    )
    if target is None:
        return facts
    taken = target["taken_by"] if is_taken(target, now) else None
    state = TargetState(target["state"])
    state = breached if state is TargetState.OPEN else state
    return replace(facts, state=state, taken_by=taken, taken_until=target["taken_until"])


def _ticket_of(delivery: Delivery) -> str:
    return str(delivery.payload["ticket_id"])


def _milliseconds(time: timedelta) -> int:
    return max(0, round(time / timedelta(milliseconds=1)))
