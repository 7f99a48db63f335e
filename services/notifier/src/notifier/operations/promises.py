"""The ledger of promises: each notice that was due, when it came, and what became of its target.

`notifier promises --since 7d` lists it; the weekly summary counts it (docs/notifier.md, "Breach notices").
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.breaches.arming import NoticeState
from notifier.breaches.context import BreachContext
from notifier.breaches.targets import TargetState
from notifier.destinations import BREACH_SUMMARIES
from notifier.policy.breach_settings import DAYS, Summary, known_zone
from notifier.policy.breaches import BreachPolicy
from notifier.slack.client import SlackRateLimited, SlackRefused
from notifier.slack.message import Message
from notifier.slack.sender import Sender
from notifier.tables import breach_notices, breach_targets
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Snooze
from supportops.operations.on_database import on_database
from supportops.operations.options import SinceText, past_moment_of
from supportops.runtime.cli import AnyService, AsJson
from supportops.runtime.output import emit
from supportops.store import Store
from supportops.workers.periodic import Periodic

WEEK = timedelta(days=7)
SUMMARY_TYPE = "sla_breach_summary"
LOOK_EVERY = timedelta(hours=1)
GRACE = timedelta(minutes=1)
"""How long after a breach an unsent notice counts as missed: its courier may be at it."""
LATE_AFTER = BreachPolicy().late_after


@dataclass(frozen=True)
class Promise:
    """One notice that was due. `late`: from the moment it was due, or was found to be, to its post; None while unsent.

    `outcome`: how its target stands (posted ones), `waiting`, `missed` (the breach has passed), or `not sent`.
    `taken_by`: the Slack user who took the target on last, until `taken_until`; None where it is free again.
    """

    ticket_id: str
    metric: str
    step: str
    rule: str
    due_at: datetime
    breach_at: datetime
    posted_at: datetime | None
    late: timedelta | None
    road: str | None
    outcome: str
    reason: str | None
    channel: str | None = None
    taken_by: str | None = None
    taken_until: datetime | None = None

    @property
    def target(self) -> tuple[str, str, datetime]:
        """What it is about."""
        return self.ticket_id, self.metric, self.breach_at

    def row(self) -> dict[str, Any]:
        """As the command prints it."""
        seconds = None if self.late is None else round(self.late.total_seconds(), 3)
        shown: dict[str, Any] = {
            "ticket": self.ticket_id,
            "metric": self.metric,
            "step": self.step,
            "rule": self.rule,
        }
        shown |= {"due": _moment(self.due_at), "posted": _moment(self.posted_at), "late_seconds": seconds}
        return shown | {"road": self.road, "outcome": self.outcome, "why": self.reason}


@dataclass(frozen=True)
class Account:
    """A stretch of time in numbers: notices posted, late and missed; targets saved, breached and answered late."""

    posted: int
    late: int
    missed: int
    saved: int
    breached: int
    answered_late: int
    worst: timedelta


async def promises(
    conn: AsyncConnection, since: datetime, now: datetime, until: datetime | None = None
) -> list[Promise]:
    """Every notice that is due from `since` to `until` (without it: now), in the order of their moments; those decided
    against included.
    """
    n, t = breach_notices, breach_targets
    query = (
        select(n, t.c.state.label("target_state"), t.c.taken_by, t.c.taken_until)
        .outerjoin(t, t.c.key == n.c.target)
        .where(n.c.due_at >= since, n.c.due_at <= (until or now))
        .order_by(n.c.due_at, n.c.key)
    )
    return [_promise(row, now) for row in (await conn.execute(query)).mappings()]


def count(found: Sequence[Promise], late_after: timedelta = LATE_AFTER) -> Account:
    """The promises in numbers."""
    posted = [each for each in found if each.posted_at is not None]
    targets = {each.target: each for each in posted}
    told_before = {each.target for each in posted if each.posted_at and each.posted_at < each.breach_at}
    states = Counter(each.outcome for each in targets.values())
    saved = sum(targets[key].outcome == TargetState.ANSWERED for key in told_before)
    lengths = [each.late for each in posted if each.late is not None]
    return Account(
        len(posted),
        sum(each > late_after for each in lengths),
        sum(each.outcome == "missed" for each in found),
        saved,
        states[TargetState.BREACHED],
        states[TargetState.ANSWERED_LATE],
        max(lengths, default=timedelta()),
    )


def words(account: Account) -> str:
    """One line for people."""
    worst = f" (the worst {round(account.worst.total_seconds(), 1)} s)" if account.late else ""
    return (
        f"{_counted(account.posted, 'breach notice')}: {_counted(account.saved, 'target')} answered in time, "
        f"{account.breached} breached, {account.answered_late} answered late; "
        f"{_counted(account.late, 'notice')} late{worst}, {account.missed} missed"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _promise(row: Mapping[Any, Any], now: datetime) -> Promise:
    state, posted_at = NoticeState(row["state"]), row["posted_at"]
    late = None if posted_at is None else timedelta(milliseconds=row["late_ms"] or 0)
    names = (
        "ticket_id",
        "metric",
        "step",
        "rule",
        "due_at",
        "breach_at",
        "channel",
        "taken_by",
        "taken_until",
    )
    return Promise(
        **{name: row[name] for name in names},
        posted_at=posted_at,
        late=late,
        road=row["road"],
        outcome=_outcome(state, row["target_state"], row["breach_at"], now),
        reason=row["reason"],
    )


def _outcome(state: NoticeState, target: str | None, breach_at: datetime, now: datetime) -> str:
    if state is NoticeState.POSTED:
        return target or TargetState.OPEN.value
    if state is not NoticeState.PLANNED:
        return "not sent"
    return "missed" if breach_at + GRACE < now else "waiting"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def add_promises(app: typer.Typer, service: AnyService) -> None:
    """Add `promises` to the notifier's commands."""

    @app.command(name="promises")
    def show(
        since: SinceText = "7d",
        refused: Annotated[
            bool, typer.Option("--refused", help="Also those that were decided against, and why.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """List the breach notices that were due: when they came, how late, and what became of their targets.

        Needs the database only. The last line counts them; exit code 0 also when some were missed.
        """

        async def look(store: Store) -> int:
            now = store.clock.now()
            async with store.reading() as conn:
                found = await promises(conn, past_moment_of("7d" if since is None else since, now), now)
            shown = [each for each in found if refused or each.outcome != "not sent"]
            emit([each.row() for each in shown], as_json=as_json, title="Breach notices")
            typer.echo(words(count(found)), err=True)
            return 0

        raise typer.Exit(on_database(service, look))


class BreachSummaries:
    """Posts the account of a week when that week is over; lane = channel."""

    spec = DestinationSpec(BREACH_SUMMARIES, concurrency=1)

    def __init__(self, context: BreachContext, sender: Sender) -> None:
        self._context, self._sender = context, sender

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._post(delivery) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        channel = str(delivery.payload["channel"])
        found = await self._sender.find(channel, SUMMARY_TYPE, delivery.key, delivery.created_at)
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
        metadata = {"event_type": SUMMARY_TYPE, "event_payload": {"key": delivery.key}}
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
