"""N6: tickets that customer success should know of, decided at the moment they become so.

One delivery per ticket and arming is the timer: it looks, and comes again at the earliest moment at which the answer
can be another one. An agent's public answer, or a reopening, makes a new arming; what was told is told once for each.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from notifier.breaches.reader import AccountHours
from notifier.destinations import TAGS
from notifier.feeds.context import MessageContext
from notifier.notices.payloads import SUCCESS, Notice
from notifier.policy.conditions import NameRule, Verdict
from notifier.policy.notices import SuccessNotice
from notifier.posting.prepared import Note, schedule_note
from supportops.business_hours import BusinessHours, NoBusinessHours
from supportops.delivery.destination import Cancel, Done, Outcome, Snooze
from supportops.store import Transaction
from supportops.vendors.zendesk import Comment, Ticket, Zendesk
from supportops.vendors.zendesk.models import User

LOOK_AGAIN = timedelta(hours=6)
"""Targets of an SLA move without a word: no longer than this is what was read believed."""
_OPEN = frozenset({"new", "open", "hold"})


@dataclass(frozen=True)
class Standing:
    """What decides: the ticket's status and creation, the last public answer of an agent, the earliest breach."""

    status: str
    created_at: datetime
    answered_at: datetime | None
    breached_at: datetime | None


@dataclass(frozen=True)
class Ripe:
    """It is time, and why, as the message says it."""

    why: str


@dataclass(frozen=True)
class Later:
    """Not yet; `at` is the earliest moment at which that can change by the passing of time. None: only by an event."""

    at: datetime | None
    reason: str


def judge(
    standing: Standing, rule: SuccessNotice, hours: BusinessHours | None, now: datetime
) -> Ripe | Later:
    """Whether customer success hears of the ticket now. Pure."""
    if standing.status not in _OPEN:
        return Later(None, f"the ticket is {standing.status}")
    ripe: list[tuple[datetime, str]] = []
    if standing.breached_at is not None:
        ripe.append((_after(hours, standing.breached_at, rule.breached_after), "breached over {} ago!"))
    opened = _after(hours, standing.created_at, rule.open_after)
    quiet = (standing.answered_at or standing.created_at) + rule.quiet_for
    ripe.append((max(opened, quiet), "has been open for more than {} without an answer!"))
    moment, words = min(ripe)
    if moment > now:
        return Later(moment, "neither breached nor unanswered for long enough")
    length = rule.breached_after if words.startswith("breached") else rule.open_after
    return Ripe(words.format(f"{length.total_seconds() / 3600:g} hours"))


def _after(hours: BusinessHours | None, moment: datetime, length: timedelta) -> datetime:
    """Business hours where the account has a schedule, else those of the clock."""
    if hours is None:
        return moment + length
    try:
        return hours.after(moment, length)
    except NoBusinessHours:
        return moment + length


class SuccessWatch:
    """Decides N6 for one ticket."""

    def __init__(
        self, context: MessageContext, zendesk: Zendesk, rule: SuccessNotice, hours: AccountHours
    ) -> None:
        self._context, self._zendesk, self._rule, self._hours = context, zendesk, rule, hours

    async def decide(self, notice: Notice) -> Outcome:
        """Post and tag, come again, or leave it."""
        ticket = await self._zendesk.ticket(notice.ticket_id)
        if ticket is None:
            return Cancel("the ticket is gone")
        if (why := await self._excluded(ticket)) is not None:
            return Cancel(why)
        now = self._context.store.clock.now()
        judged = judge(await self._standing(ticket), self._rule, await self._hours.sure(now), now)
        if isinstance(judged, Ripe):
            return Done({"channel": self._rule.channel}, partial(self._tell, notice=notice, why=judged.why))
        wait = LOOK_AGAIN if judged.at is None else min(judged.at - now, LOOK_AGAIN)
        if ticket.status in ("solved", "closed"):
            return Cancel(judged.reason)
        return Snooze(wait, judged.reason)

    def _tell(self, tx: Transaction, *, notice: Notice, why: str) -> None:
        rule, arm = self._rule, notice.data["arm"]
        note = Note(SUCCESS, SUCCESS, notice.ticket_id, {"why": why})
        key = f"{rule.channel}:{SUCCESS}:{notice.ticket_id}:{arm}"
        schedule_note(tx, note, channel=rule.channel, key=key)
        if rule.tag is not None:
            payload = {"ticket_id": notice.ticket_id, "tag": rule.tag}
            tx.deliveries.schedule(
                TAGS, f"{SUCCESS}:{notice.ticket_id}:{arm}", lane=notice.ticket_id, payload=payload
            )

    async def _excluded(self, ticket: Ticket) -> str | None:
        policy, lookups = self._context.policy, self._context.lookups
        form = await lookups.form_of(ticket)
        if form is None or policy.is_secret(form):
            return "the ticket's form may not be shown"
        organization = await lookups.organization(ticket.organization_id)
        fields = (organization.organization_fields or {}) if organization else {}
        plan = str(fields.get(policy.plan_field) or "")
        if self._rule.plans != NameRule() and self._rule.plans.verdict(plan) is not Verdict.YES:
            return f"the plan {plan!r} is left out"
        if not any(fields.get(key) for key in (self._rule.manager_field, self._rule.owner_field)):
            return "neither a Technical Account Manager nor an Account Owner is known"
        return None

    async def _standing(self, ticket: Ticket) -> Standing:
        comments = await self._zendesk.latest_comments(ticket.id)
        probe = await self._zendesk.slas.probe(ticket.id)
        now = self._context.store.clock.now()
        breached = [
            each.breach_at for each in probe.targets if each.runs and each.breach_at and each.breach_at < now
        ]
        return Standing(
            ticket.status,
            ticket.created_at or ticket.updated_at,
            await answered_at(comments, ticket.requester_id, self._context.lookups.person),
            min(breached, default=None),
        )


async def answered_at(
    comments: Iterable[Comment], requester_id: str | None, person: Callable[[str], Awaitable[User | None]]
) -> datetime | None:
    """The newest public comment of an agent, by the hundred newest: a customer's colleague answers nothing.

    Who is not known any more is taken for an agent.
    """
    theirs = [
        (each.created_at, each.author_id)
        for each in comments
        if each.public and each.created_at is not None and each.author_id != requester_id
    ]
    for moment, author_id in sorted(theirs, key=lambda each: each[0], reverse=True):
        author = await person(author_id) if author_id is not None else None
        if author is None or not author.is_customer:
            return moment
    return None
