"""Rows of breach notices: what is on record of a ticket, and how a plan is written down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.breaches.arming import Known, Notice, NoticeState, Plan, Refusal, Situation
from notifier.breaches.targets import Reading, TargetState, Told, key_of
from notifier.destinations import BREACH_NOTICES, SLA_READINGS
from notifier.tables import breach_notices, breach_targets, breach_tickets
from supportops.store import Transaction

Row = Mapping[str, Any]
CAN_WAIT = "can_wait"  # of an edit's payload: nobody has asked for it just now
BEFORE = "rule_before"  # of a notice's payload: under which rule an attempt may have been made
OTHERS = 200
_DECODER = msgspec.json.Decoder(Reading)


@dataclass(frozen=True)
class Record:
    """What is known of a ticket: its row (None: not watched), its targets and notices by key."""

    ticket: Row | None
    targets: Mapping[str, Row]
    notices: Mapping[str, Row]

    @property
    def reading(self) -> Reading | None:
        """The last reading."""
        return _DECODER.decode(self.ticket["reading"]) if self.ticket and self.ticket["reading"] else None

    def known(self) -> dict[str, Known]:
        """The notices as a plan takes them."""
        return {
            key: Known(NoticeState(row["state"]), row["due_at"], row["target"], row["step"])
            for key, row in self.notices.items()
        }

    def taken(self, now: datetime) -> frozenset[str]:
        """The targets that somebody has taken on."""
        return frozenset(key for key, row in self.targets.items() if is_taken(row, now))

    def reads(self, ticket_id: str) -> tuple[tuple[Any, Any], ...]:
        """The rows that an outcome about the ticket will load."""
        rows = [(breach_notices, key) for key in self.notices] + [
            (breach_targets, key) for key in self.targets
        ]
        return (*rows, (breach_tickets, ticket_id))


def is_taken(target: Row, now: datetime) -> bool:
    """Whether somebody has the target on hand at `now`."""
    return target["taken_until"] is not None and target["taken_until"] > now


def told_of(row: Row) -> Told:
    """A row of `breach_targets` as the domain has it."""
    state = TargetState(row["state"])
    return Told(row["ticket_id"], row["metric"], row["breach_at"], row["told_at"], state)


async def records_of(conn: AsyncConnection, ticket_ids: Iterable[str]) -> dict[str, Record]:
    """What is on record of tickets, by id; three queries."""
    wanted = sorted(set(ticket_ids))
    found = {each: Record(None, {}, {}) for each in wanted}
    tickets, targets, notices = breach_tickets, breach_targets, breach_notices
    for row in (await conn.execute(select(tickets).where(tickets.c.ticket_id.in_(wanted)))).mappings():
        found[row["ticket_id"]] = Record(dict(row), {}, {})
    for table, name in ((targets, "targets"), (notices, "notices")):
        rows: dict[str, dict[str, Row]] = {each: {} for each in wanted}
        for row in (await conn.execute(select(table).where(table.c.ticket_id.in_(wanted)))).mappings():
            rows[row["ticket_id"]][row["key"]] = dict(row)
        for each in wanted:
            found[each] = replace(found[each], **{name: rows[each]})
    return found


async def record_in(tx: Transaction, ticket_id: str, record: Record) -> Record:
    """The same rows as this transaction has them, locked; `record` names the keys."""
    tickets = await tx.load(breach_tickets, [ticket_id])
    notices = await tx.load(breach_notices, record.notices)
    targets = await tx.load(breach_targets, record.targets)
    return Record(
        tickets.get(ticket_id),
        {key: row for key in record.targets if (row := targets.get(key)) is not None},
        {key: row for key in record.notices if (row := notices.get(key)) is not None},
    )


async def write_plan(
    tx: Transaction, asked: Plan, record: Record, now_is: Situation, version: str, look_before: timedelta
) -> None:
    """Arm what is wanted, call off what is not; each with the rule and the version of the rules that say so."""
    rows = await tx.load(breach_notices, [*asked.wanted, *asked.refused])
    for key, notice in asked.wanted.items():
        was, rule = record.notices.get(key), now_is.rule.name if now_is.rule else ""
        planned = was is not None and was["state"] == NoticeState.PLANNED
        if was is not None and planned and (was["due_at"], was["rule"]) == (notice.due_at, rule):
            continue
        decided = was is not None and was["state"] not in (NoticeState.PLANNED, NoticeState.CANCELLED)
        number = (was["round"] if was else 0) + decided
        rows.put(key, **_armed(notice, number, rule, version, tx.now))
        channel = now_is.rule.channel if now_is.rule else ""
        tx.deliveries.rearm(
            BREACH_NOTICES,
            delivery_key(key, number),
            lane=channel,
            payload={"notice": key, "ticket_id": notice.ticket_id}
            | ({BEFORE: was["rule"]} if was is not None and was["rule"] != rule else {}),
            due_at=notice.due_at,
        )
        schedule_look(tx, notice.ticket_id, f"look:{key}:{number}", notice.due_at - look_before)
    for key, (new, refusal) in asked.refused.items():
        _refuse(
            tx, key, new, refusal, record.notices.get(key), (now_is.rule.name if now_is.rule else "", version)
        )


def _refuse(
    tx: Transaction, key: str, new: Notice | None, refusal: Refusal, was: Row | None, by: tuple[str, str]
) -> None:
    state = refusal.state if refusal.state is NoticeState.SUPERSEDED else NoticeState.CANCELLED
    rule, version = by
    decision = {"state": state, "reason": refusal.reason, "decided_at": tx.now, "rules_version": version}
    if was is None and new is not None:
        row = _armed(new, 0, rule, version, tx.now) | decision
        tx.rows(breach_notices).put(key, **row)
    elif was is not None:
        tx.rows(breach_notices).put(key, **decision, changed_at=tx.now)
        tx.deliveries.cancel(BREACH_NOTICES, delivery_key(key, was["round"]), reason=refusal.reason)


def _armed(notice: Notice, number: int, rule: str, version: str, now: datetime) -> dict[str, Any]:
    return {
        "target": notice.target,
        "ticket_id": notice.ticket_id,
        "metric": notice.metric,
        "breach_at": notice.breach_at,
        "step": notice.step,
        "round": number,
        "due_at": notice.due_at,
        "armed_at": now,
        "state": NoticeState.PLANNED,
        "reason": None,
        "rule": rule,
        "rules_version": version,
        "decided_at": None,
        "changed_at": now,
    }


def delivery_key(notice: str, number: int) -> str:
    """A decision against a notice ends its delivery for good: what is armed anew after one is another delivery."""
    return notice if number == 0 else f"{notice}#{number}"


async def look_at_held(tx: Transaction, why: str) -> int:
    """Have the tickets read that have a notice held back: it may be asked for anew. How many they are."""
    n = breach_notices.c
    held = select(n.ticket_id).where(n.state == NoticeState.HELD).distinct()
    tickets = (await tx.read(held)).scalars().all()
    for ticket_id in tickets:
        key, payload = f"{ticket_id}:{why}", {"ticket_id": ticket_id}
        tx.deliveries.schedule(SLA_READINGS, key, lane=ticket_id, payload=payload)
    return len(tickets)


def schedule_look(tx: Transaction, ticket_id: str, why: str, due_at: datetime) -> None:
    """Have the ticket's targets read at that moment, if it is not past."""
    if due_at > tx.now:
        key, payload = f"{ticket_id}:{why}", {"ticket_id": ticket_id}
        tx.deliveries.rearm(SLA_READINGS, key, lane=ticket_id, payload=payload, due_at=due_at)


@dataclass(frozen=True)
class Breaching:
    """A target that runs out soon, or has: what people who ask are shown. `taken_by`: a Slack user's id."""

    ticket_id: str
    subject: str
    metric: str
    breach_at: datetime
    rule: str
    assignee_id: str | None
    read_at: datetime
    taken_by: str | None


async def breaching(conn: AsyncConnection, now: datetime, limit: int = 10) -> list[Breaching]:
    """The next targets to breach among the tickets that a rule concerns, the next one first.

    As of the last reading of each ticket (`read_at`): nobody is asked. Of tickets with a target that is breached, the
    other targets of the last `OTHERS` are looked at.
    """
    t = breach_tickets.c
    late = _watched(t.next_breach_at <= now).order_by(t.next_breach_at.desc(), t.ticket_id).limit(OTHERS)
    coming = _watched(t.next_breach_at > now).order_by(t.next_breach_at, t.ticket_id).limit(limit)
    running = [each for query in (coming, late) for each in await _running(conn, query)]
    shown = sorted((each for each in running if each.breach_at > now), key=_moment)[:limit]
    return await _with_holders(conn, shown, now)


async def breached(conn: AsyncConnection, now: datetime, limit: int) -> tuple[int, list[Breaching]]:
    """How many of these tickets have a target that is breached and runs on, and the targets that were breached last."""
    t = breach_tickets.c
    late = _watched(t.next_breach_at <= now)
    number = (await conn.execute(select(func.count()).select_from(late.subquery()))).scalar_one()
    query = late.order_by(t.next_breach_at.desc(), t.ticket_id).limit(limit)
    found = [each for each in await _running(conn, query) if each.breach_at <= now]
    return number, await _with_holders(conn, sorted(found, key=_moment, reverse=True)[:limit], now)


def _watched(which: ColumnElement[bool]) -> Select[Any]:
    """Open tickets that a rule concerns."""
    t = breach_tickets.c
    return select(t.reading, t.rule).where(t.open, t.rule.is_not(None), which)


def _moment(found: Breaching) -> tuple[datetime, str, str]:
    return found.breach_at, found.ticket_id, found.metric


async def _running(conn: AsyncConnection, query: Select[Any]) -> list[Breaching]:
    """The targets that run of the tickets of a query."""
    rows = [(_DECODER.decode(row.reading), row.rule) for row in await conn.execute(query)]
    return [
        Breaching(
            reading.ticket_id,
            reading.subject,
            target.metric,
            target.breach_at,
            rule,
            reading.assignee_id,
            reading.read_at,
            None,
        )
        for reading, rule in rows
        for target in reading.running().values()
        if target.breach_at is not None
    ]


async def _with_holders(conn: AsyncConnection, found: list[Breaching], now: datetime) -> list[Breaching]:
    keys = {key_of(each.ticket_id, each.metric, each.breach_at): each for each in found}
    taken = select(breach_targets).where(breach_targets.c.key.in_(list(keys)))
    held = [dict(row) for row in (await conn.execute(taken)).mappings()]
    holders = {row["key"]: row["taken_by"] for row in held if is_taken(row, now)}
    return [replace(each, taken_by=holders.get(key)) for key, each in keys.items()]
