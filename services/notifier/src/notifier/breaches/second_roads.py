"""Another way for a notice that Slack does not take in time: another channel, the assignee, a webhook, an e-mail.

The roads of the rule are tried in their order; the first that takes the notice ends it. A repeat after an unknown
outcome is better than silence: the webhook carries an id and the e-mail a Message-ID by which it is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from notifier.breaches.arming import NoticeState, Refusal, decide
from notifier.breaches.context import BreachContext
from notifier.breaches.post import (
    facts_of,
    metadata_of,
    patience_ends,
    record_posted,
    refused,
    schedule_second_road,
)
from notifier.breaches.render import NoticeFacts, plain_words, render
from notifier.breaches.repository import Row, records_of
from notifier.destinations import SECOND_ROADS
from notifier.feeds.render import ticket_url
from notifier.policy.breach_settings import SecondRoad
from notifier.policy.breaches import BreachRule
from notifier.posting.people import People
from notifier.slack.client import SlackRateLimited
from notifier.slack.message import Json
from notifier.slack.sender import Sender
from notifier.tables import breach_notices, breach_targets
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, Snooze, TryAgain
from supportops.errors import Permanent, SupportOpsError
from supportops.observability.logging import get_logger
from supportops.store import Transaction
from supportops.vendors.mail import Mail
from supportops.vendors.signed_webhook import SignedWebhook
from supportops.workers.periodic import Periodic

log = get_logger("notifier.breaches")

LOOK_EVERY = timedelta(seconds=15)
MANY = 500
SECOND = timedelta(seconds=1)
WAITS = timedelta(seconds=10)
"""So long Slack may let a road wait before the next one is tried."""


@dataclass(frozen=True)
class Outside:
    """Ways that are not Slack's; None where the environment names none."""

    webhook: SignedWebhook | None = None
    mail: Mail | None = None


class SecondRoads:
    """Takes notices that Slack did not; lane = notice."""

    def __init__(self, context: BreachContext, sender: Sender, outside: Outside) -> None:
        self._context, self._sender, self._outside = context, sender, outside
        self._people = People(context.slack, context.policy.notices.people)
        times = (5 * SECOND, 15 * SECOND, 30 * SECOND, *[timedelta(minutes=2)] * 30)
        self.spec = DestinationSpec(SECOND_ROADS, concurrency=8, schedule=times, idempotent=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._send(delivery) for delivery in deliveries]

    async def _send(self, delivery: Delivery) -> Outcome:
        key, ticket_id = str(delivery.payload["notice"]), str(delivery.payload["ticket_id"])
        async with self._context.store.reading() as conn:
            record = (await records_of(conn, [ticket_id]))[ticket_id]
        row, reading = record.notices.get(key), record.reading
        if row is None or reading is None or row["state"] != NoticeState.PLANNED:
            return Cancel("it is not on record" if row is None else f"it is {row['state']}")
        reading, unverified = await self._context.fresh.read(reading, record.ticket)
        now = self._context.store.clock.now()
        hours, quiet = await self._context.hours(), await self._context.quiet(reading)
        now_is = self._context.situation(reading, record, hours, now, quiet)
        refusal = decide(key, now_is, now)
        if refusal is not None or now_is.rule is None:
            return refused(self._context, delivery, refusal or Refusal(now_is.objection), now_is)
        facts = facts_of(reading, row, record.targets.get(row["target"]), now)
        facts = replace(facts, unverified=unverified)
        failed = []
        for road in now_is.rule.second_roads:
            try:
                shown = await self._try(road, key, facts, now_is.rule, reading.assignee_id)
            except SlackRateLimited as error:
                if (
                    error.after is None or error.after <= WAITS
                ):  # many go there at once: it is open, not closed
                    return Snooze(error.after or SECOND, f"{road.name}: {error}")
                failed.append(f"{road.name}: {error}")
                continue
            except SupportOpsError as error:
                failed.append(f"{road.name}: {error}")
                continue
            return self._done(key, row, now_is.rule, {"road": road.name} | shown)
        log.warning("breach.no_road", notice=key, reasons=failed)
        return TryAgain(None, "; ".join(failed) or "the rule has no second road any more")

    async def _try(
        self, road: SecondRoad, key: str, facts: NoticeFacts, rule: BreachRule, assignee_id: str | None
    ) -> dict[str, Any]:
        if road.by == "webhook":
            if self._outside.webhook is None:
                raise Permanent("NOTIFIER_WEBHOOK_URL and NOTIFIER_WEBHOOK_SECRET are not set")
            await self._outside.webhook.send(key, self._body(key, facts, rule))
            return {}
        if road.by == "email":
            if self._outside.mail is None:
                raise Permanent("SMTP_HOST and SMTP_SENDER are not set")
            url, words = ticket_url(self._context.base_url, facts.ticket_id) or "", plain_words(facts)
            await self._outside.mail.send(key, road.to, words, f"{words}\n\n{facts.subject}\n{url}\n")
            return {}
        channel = road.channel or await self._person(assignee_id)
        message = render(facts, rule, self._context.base_url)
        posted = await self._sender.post(channel, message, metadata_of(key, facts.ticket_id))
        return {"channel": channel, "address": posted.channel, "ts": posted.ts, "digest": message.digest}

    async def _person(self, assignee_id: str | None) -> str:
        """The Slack id of the ticket's assignee. Permanent where there is none."""
        if assignee_id is None:
            raise Permanent("the ticket has no assignee")
        user = (await self._context.zendesk.users([assignee_id])).get(assignee_id)
        if user is None or not user.email:
            raise Permanent("the assignee has no e-mail address")
        found = await self._people.slack_user(user.email)
        if found is None:
            raise Permanent("the assignee is nobody in Slack, or the bot may not look (users:read.email)")
        return found

    def _body(self, key: str, facts: NoticeFacts, rule: BreachRule) -> Json:
        return {
            "type": "sla_breach_notice",
            "key": key,
            "ticket_id": facts.ticket_id,
            "ticket_url": ticket_url(self._context.base_url, facts.ticket_id),
            "subject": facts.subject,
            "metric": facts.metric,
            "breach_at": facts.breach_at.isoformat(),
            "state": facts.state.value,
            "rule": rule.name,
        }

    def _done(self, key: str, row: Row, rule: BreachRule, values: dict[str, Any]) -> Outcome:
        version = self._context.version
        self._context.metrics.count("breach_notices", outcome="second_road")

        async def then(tx: Transaction) -> None:
            await record_posted(tx, key, row, rule, values | {"rules_version": version})

        return Done(values, then, ((breach_notices, key), (breach_targets, row["target"])))


def overdue_watch(context: BreachContext) -> Periodic:
    """Notices that wait for Slack for too long, whatever holds them up, go another way; one replica looks."""

    async def look() -> None:
        now = context.store.clock.now()
        n = breach_notices
        query = (
            select(n).where(n.c.state == NoticeState.PLANNED, n.c.due_at < now - SECOND).order_by(n.c.due_at)
        )
        async with context.store.transaction() as tx:
            for row in (await tx.read(query.limit(MANY))).mappings():
                if is_stuck(dict(row), context, now):
                    schedule_second_road(tx, row["key"], dict(row), "Slack did not take it in time")

    return Periodic("notifier.overdue_notices", context.store, look, LOOK_EVERY)


def is_stuck(row: Row, context: BreachContext, now: datetime) -> bool:
    """Whether a planned notice has waited long enough, and its rule knows another way."""
    rule = context.rules.rule(row["rule"])
    return rule is not None and bool(rule.second_roads) and patience_ends(row, context.rules) <= now
