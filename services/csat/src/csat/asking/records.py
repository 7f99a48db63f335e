"""What is written down about surveys and decisions, and the events that say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from csat import tables
from csat.asking.rules import Decision
from csat.numbers import facts
from supportops.contracts import SurveySent, SurveySkipped
from supportops.store import Transaction

SOURCE = "/csat"
SURVEY = "zendesk.survey"
"""The destination that asks a requester, at the due moment."""
SURVEY_TAG = "zendesk.survey_tag"
"""The destination that tags a surveyed ticket: its own step, so that a crash never repeats the comment."""
DESCRIPTION = "zendesk.description"
"""The destination that reads, right after a solve, what the numbers are broken down by (form, plan, assignee …)."""
NATIVE_RATING = "zendesk.rating"
"""The destination that reads a ticket's rating after a hint that it changed."""

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
    """The semantic key of a solve (design §3)."""
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


async def intend(
    tx: Transaction,
    ticket_id: str,
    solved_at: datetime,
    requester_id: str | None,
    mode: Mode = "hosted",
    locale: str | None = None,
) -> Survey:
    """Write down, before the call, that the ticket is about to be asked.

    From here on whoever looks at the ticket finds this survey and asks Zendesk whether it is there.
    """
    rows = await tx.load(tables.surveys, [ticket_id])
    if rows.get(ticket_id) is None:
        rows.put(ticket_id, survey_id=uuid7().hex, asking_since=tx.now, sent_at=None, tagged_at=None)
    rows.put(ticket_id, solved_at=solved_at, requester_id=requester_id, mode=mode, locale=locale)
    return Survey.of(rows.get(ticket_id) or {})


async def record_sent(tx: Transaction, survey: Survey, sent_at: datetime, cause: str | None = None) -> None:
    """The survey is on the ticket: keep that, tell it, have the ticket tagged. Repeated, it changes nothing."""
    rows = await tx.load(tables.surveys, [survey.ticket_id])
    row = rows.get(survey.ticket_id)
    if row is None or row["sent_at"] is not None:
        return
    rows.put(survey.ticket_id, sent_at=sent_at)
    await facts.note(tx, survey.ticket_id, solved_at=survey.solved_at, decided=True, asked_at=sent_at)
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
    payload = {"ticket_id": survey.ticket_id}
    tx.deliveries.schedule(SURVEY_TAG, survey.survey_id, lane=survey.ticket_id, payload=payload)


async def record_tagged(tx: Transaction, ticket_id: str) -> None:
    """The ticket carries our tag."""
    rows = await tx.load(tables.surveys, [ticket_id])
    if rows.get(ticket_id) is not None:
        rows.put(ticket_id, tagged_at=tx.now)


async def record_decision(
    tx: Transaction, ticket_id: str, solved_at: datetime, decision: Decision, cause: str | None = None
) -> None:
    """Keep a decision with its rule and reason; a *no* is told to others."""
    key = solve_key(ticket_id, solved_at)
    rows = await tx.load(tables.decisions, [key])
    rows.put(key, ticket_id=ticket_id, solved_at=solved_at)
    rows.put(key, send=decision.send, rule=decision.rule, reason=decision.reason, decided_at=tx.now)
    await facts.note_decided(tx, ticket_id, solved_at)
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
