"""What is written down about surveys and decisions, and the events that say so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self

from sqlalchemy import Column, Result, Select, Table, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from csat import tables
from csat.destinations import SURVEY_TAG
from csat.kpi import ticket_facts
from csat.surveys.exclusion_rules import Decision, Requester
from supportops.contracts import SurveySent, SurveySkipped
from supportops.store import Transaction
from supportops.store.key_lookup import among, as_parameter
from supportops.store.upsert import insert_for

SOURCE = "/csat"

Mode = Literal["hosted", "native"]


@dataclass(frozen=True)
class Survey:
    """The one survey of a ticket. `sent_at` is None while we do not know that it reached the ticket."""

    ticket_id: str
    survey_id: str
    solved_at: datetime
    requester_id: str | None
    mode: Mode
    locale: str | None
    asking_since: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__annotations__})


def solve_key(ticket_id: str, solved_at: datetime) -> str:
    """The semantic key of a solve."""
    return f"{ticket_id}:{solved_at:%Y-%m-%dT%H:%M:%S.%fZ}"


async def survey_of_ticket(conn: AsyncConnection, ticket_id: str) -> Survey | None:
    """The ticket's survey, if there is (or may be) one."""
    return await _survey(conn, tables.surveys.c.ticket_id == ticket_id)


async def survey_with_id(conn: AsyncConnection, survey_id: str) -> Survey | None:
    """The survey that a link names."""
    return await _survey(conn, tables.surveys.c.survey_id == survey_id)


async def _survey(conn: AsyncConnection, where: Any) -> Survey | None:
    row = (await conn.execute(select(tables.surveys).where(where))).mappings().one_or_none()
    return None if row is None else Survey.of(dict(row))


async def reserve_survey(
    tx: Transaction,
    ticket_id: str,
    solved_at: datetime,
    requester_id: str | None,
    mode: Mode = "hosted",
    locale: str | None = None,
) -> Survey:
    """Write down, before the call, that the ticket is about to be asked.

    From here on whoever looks at the ticket finds this survey and asks Zendesk whether it is there. One that was
    meant for an earlier solve (or to be asked in the other way) and was never seen to arrive makes room: its id is
    kept (decision 0074). A survey that was sent stays as it is.
    """
    rows = await tx.load(tables.surveys, [ticket_id])
    row = rows.get(ticket_id)
    if row is not None and row["sent_at"] is not None:
        return Survey.of(row)
    if row is None:
        rows.put(ticket_id, survey_id=uuid7().hex, asking_since=tx.now, sent_at=None, tagged_at=None)
    elif (row["solved_at"], row["mode"]) != (solved_at, mode):
        await _supersede(tx, Survey.of(row))
        rows.put(ticket_id, survey_id=uuid7().hex)
    rows.put(ticket_id, solved_at=solved_at, requester_id=requester_id, mode=mode, locale=locale)
    return Survey.of(rows.get(ticket_id) or {})


async def adopt_survey(tx: Transaction, survey: Survey) -> None:
    """Write down a survey that its ticket shows and that nobody knows any more."""
    rows = await tx.load(tables.surveys, [survey.ticket_id])
    if rows.get(survey.ticket_id) is None:
        columns = {name: getattr(survey, name) for name in Survey.__annotations__ if name != "ticket_id"}
        rows.put(survey.ticket_id, **columns, tagged_at=None)


async def former_surveys(conn: AsyncConnection, survey: Survey) -> list[Survey]:
    """What the ticket's survey was before, the newest first."""
    former = tables.superseded_surveys
    query = select(former.c.survey_id, former.c.solved_at).where(former.c.ticket_id == survey.ticket_id)
    found = await conn.execute(query.order_by(former.c.superseded_at.desc()))
    return [replace(survey, survey_id=row[0], solved_at=row[1] or survey.solved_at) for row in found]


async def _supersede(tx: Transaction, survey: Survey) -> None:
    former = await tx.load(tables.superseded_surveys, [survey.survey_id])
    row = {"ticket_id": survey.ticket_id, "solved_at": survey.solved_at, "superseded_at": tx.now}
    former.put(survey.survey_id, **row)


async def _reinstate(tx: Transaction, found: Survey, current: Survey) -> None:
    """It was a former survey that arrived: it is the ticket's survey again, and what followed it is not."""
    await _supersede(tx, current)
    await tx.flush()
    former = tables.superseded_surveys
    await tx.execute(former.delete().where(former.c.survey_id == found.survey_id))
    rows = tx.rows(tables.surveys)
    rows.put(found.ticket_id, survey_id=found.survey_id, solved_at=found.solved_at)


async def lock_requesters(tx: Transaction, requester_ids: Iterable[str]) -> None:
    """Let decisions about one requester take turns: whoever comes second sees what the first one wrote."""
    wanted = sorted(set(requester_ids))
    if not wanted:
        return
    rows = [{"requester_id": each, "changed_at": tx.now} for each in wanted]
    await tx.execute(insert_for(tx.dialect, tables.requesters).on_conflict_do_nothing(), rows)
    await tx.load(tables.requesters, wanted)


async def locked_requester(
    tx: Transaction, requester_id: str | None, ticket_id: str, *, in_hand: bool
) -> Requester:
    """What is known now of a requester whose row is locked; as `requesters_of`."""
    if requester_id is None:
        return Requester()
    row = tx.rows(tables.requesters).get(requester_id) or {}
    known = _requester(row, ticket_id)
    if not in_hand:
        return known
    return _asked_last(known, await tx.read(_in_hand(requester_id, ticket_id)))


async def requesters_of(
    conn: AsyncConnection, asking: Mapping[str, str | None], *, in_hand: bool
) -> dict[str, Requester]:
    """What is known of the requesters of tickets: opted out, and asked when about a ticket other than this one.

    `asking`: requesters by ticket. `in_hand`: who is being asked just now about another ticket, with nobody knowing
    yet whether it arrived, was asked.
    """
    ids = sorted({each for each in asking.values() if each is not None})
    statement = _by_ids(tables.requesters, tables.requesters.c.requester_id, conn.dialect.name)
    found = await conn.execute(statement, {"ids": as_parameter(ids, conn.dialect.name)}) if ids else []
    rows = {row.requester_id: row._mapping for row in found}
    known = {ticket: _requester(rows.get(who or "", {}), ticket) for ticket, who in asking.items()}
    if in_hand:
        for ticket, who in asking.items():
            if who is not None:
                known[ticket] = _asked_last(known[ticket], await conn.execute(_in_hand(who, ticket)))
    return known


async def merges_of(conn: AsyncConnection, ticket_ids: Sequence[str]) -> dict[str, datetime]:
    """When tickets were merged, of those of which an event told that."""
    statement = _by_ids(tables.tickets, tables.tickets.c.ticket_id, conn.dialect.name)
    found = await conn.execute(statement, {"ids": as_parameter(ticket_ids, conn.dialect.name)})
    return {row.ticket_id: row.merged_at for row in found if row.merged_at is not None}


async def asked_about(conn: AsyncConnection, ticket_ids: Sequence[str]) -> set[str]:
    """The tickets that have a survey, or may have one."""
    statement = _by_ids(tables.surveys, tables.surveys.c.ticket_id, conn.dialect.name)
    found = await conn.execute(statement, {"ids": as_parameter(ticket_ids, conn.dialect.name)})
    return {row.ticket_id for row in found}


@cache
def _by_ids(table: Table, column: Column[Any], dialect: str) -> Select[Any]:
    return select(table).where(among(column, "ids", dialect))


def _requester(row: Mapping[Any, Any], ticket_id: str) -> Requester:
    """`row` of `requesters`; an empty one where nothing is known."""
    asked_at = row.get("asked_at") if row.get("asked_ticket_id") != ticket_id else None
    return Requester(row.get("opted_out_at"), asked_at)


def _asked_last(known: Requester, in_hand: Result[Any]) -> Requester:
    """Asked when a survey arrived, or when the one of `_in_hand` was begun, whichever is later."""
    moments = [each for each in (known.asked_at, in_hand.scalar_one()) if each is not None]
    return replace(known, asked_at=max(moments, default=None))


def _in_hand(requester_id: str, ticket_id: str) -> Select[Any]:
    """When the latest survey was begun of which it is neither known that it was sent, nor decided against."""
    survey, decision = tables.surveys.c, tables.decisions.c
    same = and_(decision.ticket_id == survey.ticket_id, decision.solved_at == survey.solved_at)
    return select(func.max(survey.asking_since)).where(
        survey.requester_id == requester_id,
        survey.ticket_id != ticket_id,
        survey.sent_at.is_(None),
        ~exists().where(same, ~decision.send),
    )


async def record_sent(tx: Transaction, survey: Survey, sent_at: datetime, cause: str | None = None) -> None:
    """The survey is on the ticket: keep that, tell it, have the ticket tagged. Repeated, it changes nothing."""
    rows = await tx.load(tables.surveys, [survey.ticket_id])
    row = rows.get(survey.ticket_id)
    if row is None or row["sent_at"] is not None:
        return
    if row["survey_id"] != survey.survey_id:
        await _reinstate(tx, survey, Survey.of(row))
    rows.put(survey.ticket_id, sent_at=sent_at, mode=survey.mode)
    await _note_asked(tx, survey, sent_at)
    await ticket_facts.note(tx, survey.ticket_id, solved_at=survey.solved_at, decided=True, asked_at=sent_at)
    tx.publish(
        SurveySent(
            id=f"survey-sent:{survey.survey_id}",
            source=SOURCE,
            time=tx.now,
            subject=survey.ticket_id,
            correlation_id=cause,
            ticket_id=survey.ticket_id,
            survey_id=survey.survey_id,
            solved_at=survey.solved_at,
            sent_at=sent_at,
        )
    )
    if survey.mode == "native":  # there the tag was the asking
        rows.put(survey.ticket_id, tagged_at=sent_at)
        return
    payload = {"ticket_id": survey.ticket_id}
    tx.deliveries.schedule(SURVEY_TAG, survey.survey_id, lane=survey.ticket_id, payload=payload)


async def _note_asked(tx: Transaction, survey: Survey, sent_at: datetime) -> None:
    if survey.requester_id is None:
        return
    rows = await tx.load(tables.requesters, [survey.requester_id])
    row = rows.get(survey.requester_id)
    if row is None or row.get("asked_at") is None or row["asked_at"] < sent_at:
        asked = {"asked_at": sent_at, "asked_ticket_id": survey.ticket_id}
        rows.put(survey.requester_id, **asked, changed_at=tx.now)


async def record_decision(
    tx: Transaction, ticket_id: str, solved_at: datetime, decision: Decision, cause: str | None = None
) -> None:
    """Keep a decision with its rule and reason; a *no* is told to others."""
    key = solve_key(ticket_id, solved_at)
    rows = await tx.load(tables.decisions, [key])
    rows.put(key, ticket_id=ticket_id, solved_at=solved_at)
    rows.put(key, send=decision.send, rule=decision.rule, reason=decision.reason, decided_at=tx.now)
    await ticket_facts.note_decided(tx, ticket_id, solved_at)
    if decision.send:
        return
    tx.publish(
        SurveySkipped(
            id=f"survey-skipped:{key}",
            source=SOURCE,
            time=tx.now,
            subject=ticket_id,
            correlation_id=cause,
            ticket_id=ticket_id,
            solved_at=solved_at,
            rule=decision.rule,
            reason=decision.reason,
        )
    )
