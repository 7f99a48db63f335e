"""The weekly account of breach notices, to a channel: saved, late, missed."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from notifier.breaches.context import BreachContext
from notifier.destinations import BREACH_SUMMARIES
from notifier.operations.promises import WEEK, count, promises, words
from notifier.policy.breach_settings import DAYS, Summary, known_zone
from notifier.slack.client import SlackRateLimited, SlackRefused
from notifier.slack.message import Message
from notifier.slack.sender import Sender
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Snooze
from supportops.workers.periodic import Periodic

EVENT_TYPE = "sla_breach_summary"
LOOK_EVERY = timedelta(hours=1)


class BreachSummaries:
    """Posts the account of a week when that week is over; lane = channel."""

    spec = DestinationSpec(BREACH_SUMMARIES, concurrency=1)

    def __init__(self, context: BreachContext, sender: Sender) -> None:
        self._context, self._sender = context, sender

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._post(delivery) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        channel = str(delivery.payload["channel"])
        found = await self._sender.find(channel, EVENT_TYPE, delivery.key, delivery.created_at)
        return None if found is None else Done({"channel": found.channel, "ts": found.ts, "found": True})

    async def _post(self, delivery: Delivery) -> Outcome:
        summary = self._context.rules.summary
        if summary is None:
            return Cancel("the rules ask for no summary any more")
        until = delivery.due_at
        async with self._context.store.reading() as conn:
            found = await promises(conn, until - WEEK, until)
        account = count(found, self._context.rules.late_after)
        text = f"The week until {until:%Y-%m-%d}: {words(account)}."
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": delivery.key}}
        try:
            posted = await self._sender.post(summary.channel, Message(text, []), metadata)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error))
        except SlackRefused as error:
            return Discard(str(error))
        return Done({"channel": posted.channel, "ts": posted.ts})


def summaries(context: BreachContext) -> Periodic:
    """Sees to it that the account of this week is planned; one replica does."""

    async def arrange() -> None:
        if (summary := context.rules.summary) is not None:
            async with context.store.transaction() as tx:
                due = next_moment(summary, tx.now)
                payload = {"channel": summary.channel}
                tx.deliveries.rearm(
                    BREACH_SUMMARIES, f"{due:%G-W%V}", lane=summary.channel, payload=payload, due_at=due
                )

    return Periodic("notifier.breach_summary", context.store, arrange, LOOK_EVERY)


def next_moment(summary: Summary, now: datetime) -> datetime:
    """The next moment at which the account of a week is due."""
    zone = known_zone(summary.time_zone)
    hour, minute = map(int, summary.at.split(":"))
    today = now.astimezone(zone).date()
    days = (DAYS.index(summary.day) - today.isoweekday() % 7) % 7
    moments = (
        datetime.combine(today + timedelta(days=days + more), time(hour, minute), zone) for more in (0, 7)
    )
    return next(each for each in moments if each > now)
