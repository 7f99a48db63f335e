"""Somebody takes a notice on, or gives it back: its later steps are quiet meanwhile (docs/rules.md N2, ours).

The button's request changes our rows and is answered at once; what Slack is to show follows as deliveries: the message
edits itself, and who pressed in vain is told why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select

from notifier.breaches.arming import NoticeState
from notifier.breaches.context import BreachContext
from notifier.breaches.render import GIVE_BACK, TAKE, moment
from notifier.breaches.repository import Row, is_taken, schedule_look
from notifier.breaches.targets import ALIVE, TargetState
from notifier.breaches.watch import change_target
from notifier.destinations import BREACH_WORDS, SLA_READINGS
from notifier.policy.breach_settings import Acknowledging
from notifier.posting.names import hear_names
from notifier.slack.client import SlackRateLimited, SlackRefused
from notifier.slack.message import Message
from notifier.slack.requests import Click, SlackRequests, is_first
from notifier.tables import breach_notices, breach_targets
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Snooze
from supportops.store import Store, Transaction

GUEST = "Only people of this workspace can take a notice on."
NOT_ALLOWED = (
    "You are not among those who can take notices on; whoever keeps the notifier's rules can add you."
)
UNKNOWN = "This notice is not on record any more."
SLOW = "our database is slow: the press is worked on; if the message does not change within a minute, press again"
AGAIN = ":again"  # of the ids of presses that waited
RECORDED = timedelta(minutes=2)
"""After this a post is on record, also when the worker that made it died before it could write it down."""
FREE = "Nobody has taken it on."
_TOO_LATE = {
    TargetState.ANSWERED: "Too late: it was answered in time.",
    TargetState.ANSWERED_LATE: "Too late: it was answered, after the breach.",
    TargetState.PAUSED: "Not now: its target is paused.",
    TargetState.MOVED: "Too late: its target has another time now; wait for that notice.",
    TargetState.WITHDRAWN: "Too late: its target was withdrawn.",
}


@dataclass(frozen=True)
class Reply:
    """What a press of a button does: `words` for who pressed, `values` for the target (None: nothing changes)."""

    words: str
    values: dict[str, Any] | None = None


def reply_to(click: Click, row: Row | None, rules: Acknowledging, outsider: bool, now: datetime) -> Reply:
    """What becomes of a press of a button. Pure."""
    if outsider:
        return Reply(GUEST)
    if rules.who and click.user not in rules.who:
        return Reply(NOT_ALLOWED)
    if row is None:
        return Reply(UNKNOWN)
    if click.action == GIVE_BACK:
        freed = {"taken_by": None, "taken_at": None, "taken_until": None}
        return (
            Reply("You gave it back." if row["taken_by"] == click.user else "It is free again.", freed)
            if (is_taken(row, now))
            else Reply(FREE)
        )
    state = TargetState(row["state"])
    if state not in ALIVE:
        return Reply(_TOO_LATE[state])
    if is_taken(row, now):
        who = "You have" if row["taken_by"] == click.user else f"<@{row['taken_by']}> has"
        return Reply(f"{who} it until {moment(row['taken_until'])}.")
    until = now + rules.lasts
    taken = {"taken_by": click.user, "taken_at": now, "taken_until": until}
    return Reply(f"It is yours until {moment(until)}, or until a public reply.", taken)


async def take_click(
    store: Store, rules: Acknowledging, click: Click, outsider: bool, *, again: bool = False
) -> None:
    """Do what the press of a button asks for, once, however often Slack sends it. Nobody's press does nothing.

    Who is quicker than the record of the post waits for it; `again`: has waited.
    """
    if click.action not in (TAKE, GIVE_BACK) or not click.user:
        return
    async with store.transaction() as tx:
        if not await is_first(tx, f"{click.id}{AGAIN}" if again else click.id):
            return
        rows = await tx.load(breach_targets, [click.value])
        row = rows.get(click.value)
        if row is None and not again and (await tx.read(_being_told(click.value, tx.now))).first():
            _wait_for_record(tx, click, outsider)
            return
        reply = reply_to(click, row, rules, outsider, tx.now)
        say = {"channel": click.channel, "user": click.user, "text": reply.words}
        if click.channel:  # else there is no place where that person alone could be told
            tx.deliveries.schedule(BREACH_WORDS, click.id, lane=click.user, payload=say)
        if row is not None and reply.values is not None:
            if click.name:
                await hear_names(tx, {click.user: click.name}, in_passing=True)
            change_target(tx, click.value, row, **reply.values)
            _follow(tx, click.value, row, rules, reply.values["taken_until"])


def _being_told(target: str, now: datetime) -> Select[tuple[str]]:
    """Notices of the target that are due and not on record as posted: Slack may show one already."""
    n = breach_notices.c
    return select(n.key).where(n.target == target, n.state == NoticeState.PLANNED, n.due_at <= now).limit(1)


def _wait_for_record(tx: Transaction, click: Click, outsider: bool) -> None:
    wait = {"click": asdict(click), "outsider": outsider, "until": (tx.now + RECORDED).isoformat()}
    due_at = tx.now + timedelta(seconds=1)
    tx.deliveries.schedule(BREACH_WORDS, f"{click.id}{AGAIN}", lane=click.user, payload=wait, due_at=due_at)


async def take_clicks(
    store: Store, rules: Acknowledging, requests: SlackRequests, clicks: Sequence[Click]
) -> None:
    """The same for every press of one request."""
    for click in clicks:
        await take_click(store, rules, click, requests.is_outsider(click.home))


def _follow(tx: Transaction, target: str, row: Row, rules: Acknowledging, until: datetime | None) -> None:
    """A reminder before it ends, and a look at the ticket when it has: steps that were held may be due."""
    ticket_id = row["ticket_id"]
    if until is None:
        payload = {"ticket_id": ticket_id}
        key = f"{ticket_id}:free:{target}:{row['revision']}"
        tx.deliveries.schedule(SLA_READINGS, key, lane=ticket_id, payload=payload)
        return
    schedule_look(tx, ticket_id, f"taken:{target}:{int(until.timestamp())}", until)
    if rules.remind_before is not None:
        remind = {"target": target, "until": until.isoformat()}
        tx.deliveries.schedule(
            BREACH_WORDS,
            f"remind:{target}:{int(until.timestamp())}",
            lane=target,
            payload=remind,
            due_at=until - rules.remind_before,
        )


class BreachWords:
    """Says something to one person: why a button did nothing, or that what they took ends soon."""

    spec = DestinationSpec(BREACH_WORDS, idempotent=True)

    def __init__(self, context: BreachContext) -> None:
        self._context = context

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._say(delivery) for delivery in deliveries]

    async def _say(self, delivery: Delivery) -> Outcome:
        try:
            if "click" in delivery.payload:
                return await self._press_again(delivery.payload)
            if "target" in delivery.payload:
                return await self._remind(str(delivery.payload["target"]), str(delivery.payload["until"]))
            channel, user, text = (str(delivery.payload[name]) for name in ("channel", "user", "text"))
            await self._context.slack.post_ephemeral(channel, user, text)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error))
        except SlackRefused as error:  # they left the channel, or never were in it
            return Discard(str(error))
        return Done({"said": text})

    async def _press_again(self, payload: Mapping[str, Any]) -> Outcome:
        store, click = self._context.store, Click(**payload["click"])
        now = store.clock.now()
        async with store.reading() as conn:
            told = select(breach_targets.c.key).where(breach_targets.c.key == click.value)
            is_told = (await conn.execute(told)).first() is not None
            waits = not is_told and (await conn.execute(_being_told(click.value, now))).first() is not None
        if waits and now < datetime.fromisoformat(payload["until"]):
            return Snooze(None, "the notice is not on record yet")
        await take_click(store, self._context.rules.acknowledge, click, payload["outsider"], again=True)
        return Done({"pressed": click.value})

    async def _remind(self, target: str, until: str) -> Outcome:
        async with self._context.store.reading() as conn:
            query = breach_targets.select().where(breach_targets.c.key == target)
            found = (await conn.execute(query)).mappings().first()
        row = None if found is None else dict(found)
        now, ends = self._context.store.clock.now(), datetime.fromisoformat(until)
        if row is None or not is_taken(row, now) or row["taken_until"] != ends:
            return Cancel("nobody has it any more")
        if TargetState(row["state"]) not in ALIVE:
            return Cancel("the target is over")
        words = f"Ticket #{row['ticket_id']}: its notice is yours until {moment(ends)}"
        words += f"; it breaches {moment(row['breach_at'])}."
        metadata = {"event_type": "sla_breach_reminder", "event_payload": {"target": target}}
        posted = await self._context.slack.post(str(row["taken_by"]), Message(words, []), metadata)
        return Done({"channel": posted.channel, "ts": posted.ts})
