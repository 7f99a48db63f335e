"""What is written down about surveys and answers, and the events that say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from csat import tables
from csat.rules import Decision
from csat.scoring import Answer, Kpi
from supportops.contracts import FeedbackReceived, SurveySent, SurveySkipped
from supportops.store import Transaction

SOURCE = "/csat"
Row = Mapping[str, Any]
SURVEY = "zendesk.survey"
"""The destination that asks a requester, at the due moment."""
SURVEY_TAG = "zendesk.survey_tag"
"""The destination that tags a surveyed ticket: its own step, so that a crash never repeats the comment."""


@dataclass(frozen=True)
class Survey:
    """The one survey of a ticket. `sent_at` is None while we do not know that the comment was posted."""

    ticket_id: str
    survey_id: str
    solved_at: datetime
    requester_id: str | None
    asking_since: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__annotations__})


@dataclass(frozen=True)
class Rating:
    """The answer that counts for a ticket; `revision` counts its changes from 1."""

    rating_id: str
    answer: Answer
    revision: int
    rated_at: datetime


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


async def intend(tx: Transaction, ticket_id: str, solved_at: datetime, requester_id: str | None) -> Survey:
    """Write down, before the call, that the ticket is about to be asked.

    From here on whoever looks at the ticket finds this survey and asks Zendesk whether the comment is there.
    """
    rows = await tx.load(tables.surveys, [ticket_id])
    if rows.get(ticket_id) is None:
        rows.put(ticket_id, survey_id=uuid7().hex, asking_since=tx.now, sent_at=None, tagged_at=None)
    rows.put(ticket_id, solved_at=solved_at, requester_id=requester_id)
    return Survey.of(rows.get(ticket_id) or {})


async def record_sent(tx: Transaction, survey: Survey, sent_at: datetime, cause: str | None = None) -> None:
    """The comment is on the ticket: keep that, tell it, have the ticket tagged. Repeated, it changes nothing."""
    rows = await tx.load(tables.surveys, [survey.ticket_id])
    row = rows.get(survey.ticket_id)
    if row is None or row["sent_at"] is not None:
        return
    rows.put(survey.ticket_id, sent_at=sent_at)
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


async def rating_of_ticket(conn: AsyncConnection, ticket_id: str) -> Rating | None:
    """The answer that counts for the ticket now."""
    query = select(tables.ratings).where(tables.ratings.c.ticket_id == ticket_id)
    row = (await conn.execute(query)).mappings().one_or_none()
    return None if row is None else _rating(dict(row))


async def vote(tx: Transaction, survey: Survey, answer: Answer) -> Rating:
    """Take a vote cast on our page; the latest one counts, and the same one again changes nothing.

    A vote also proves that the survey was sent, should its sender have died before writing that down.
    """
    await tx.load(tables.surveys, [survey.ticket_id])  # locks: votes on one survey take turns
    rows = await tx.load(tables.ratings, [survey.ticket_id])
    row = rows.get(survey.ticket_id)
    if row is not None and _rating(row).answer == answer:
        return _rating(row)
    rows.put(
        survey.ticket_id,
        rating_id=row["rating_id"] if row is not None else str(uuid7()),
        source="hosted",
        score=answer.score,
        comment=answer.comment,
        reason=answer.reason,
        requester_id=survey.requester_id,
        revision=row["revision"] + 1 if row is not None else 1,
        rated_at=tx.now,
    )
    rating = _rating(rows.get(survey.ticket_id) or {})
    tx.publish(_feedback(survey, rating))
    await record_sent(tx, survey, survey.asking_since)
    return rating


def _rating(row: Mapping[str, Any]) -> Rating:
    answer = Answer(row["score"], row["comment"], row["reason"])
    return Rating(row["rating_id"], answer, row["revision"], row["rated_at"])


def _feedback(survey: Survey, rating: Rating) -> FeedbackReceived:
    return FeedbackReceived(
        id=f"feedback:{rating.rating_id}:{rating.revision}",
        source=SOURCE,
        time=rating.rated_at,
        subject=survey.ticket_id,
        correlation_id=f"survey-sent:{survey.survey_id}",
        ticket_id=survey.ticket_id,
        rating_id=rating.rating_id,
        score=rating.answer.score,
        comment=rating.answer.comment,
        reason=rating.answer.reason,
        requester_id=survey.requester_id,
        rated_at=rating.rated_at,
        source_kind="hosted",
    )


async def kpi(conn: AsyncConnection) -> Kpi:
    """The numbers of handbook C2 as of now: one latest answer per ticket, one survey per ticket."""
    scores = select(tables.ratings.c.score, func.count()).group_by(tables.ratings.c.score)
    counts = {row[0]: row[1] for row in await conn.execute(scores)}
    offered = select(func.count()).select_from(tables.surveys).where(tables.surveys.c.sent_at.is_not(None))
    return Kpi(counts.get("good", 0), counts.get("bad", 0), (await conn.execute(offered)).scalar_one())


Happening = tuple[datetime, str, str]
"""When, what, and in which detail: one line of a ticket's story."""


async def story_of(conn: AsyncConnection, ticket_id: str) -> list[Happening]:
    """Everything that csat knows of a ticket, oldest first: its clock, decisions, calls with answers, the vote."""
    told: list[Happening] = []
    for table, tell in (
        (tables.tickets, _tell_clock),
        (tables.decisions, _tell_decision),
        (tables.surveys, _tell_survey),
        (tables.ratings, _tell_rating),
    ):
        rows = await conn.execute(select(table).where(table.c.ticket_id == ticket_id))
        told += [line for row in rows.mappings() for line in tell(dict(row))]
    calls = tables.engine.deliveries
    mine = calls.c.destination.in_((SURVEY, SURVEY_TAG)) & (calls.c.lane == ticket_id)
    for row in (await conn.execute(select(calls).where(mine))).mappings():
        told += _tell_delivery(dict(row))
    return sorted(told)


def _tell_clock(row: Row) -> list[Happening]:
    solve = f", last known solve {row['solved_at']:%Y-%m-%d %H:%M:%S} UTC" if row["solved_at"] else ""
    return [(row["changed_at"], "last event", f"the ticket is {row['status']}{solve}")]


def _tell_decision(row: Row) -> list[Happening]:
    verdict = "ask" if row["send"] else "do not ask"
    return [(row["decided_at"], f"decision: {verdict}", f"{row['rule']}: {row['reason']}")]


def _tell_survey(row: Row) -> list[Happening]:
    steps = (("asking_since", "about to ask"), ("sent_at", "survey sent"), ("tagged_at", "ticket tagged"))
    return [(row[name], what, f"survey {row['survey_id']}") for name, what in steps if row[name] is not None]


def _tell_rating(row: Row) -> list[Happening]:
    details = [f"answer {row['revision']}", row["reason"], "with a comment" if row["comment"] else None]
    return [(row["rated_at"], f"rated {row['score']}", ", ".join(filter(None, details)))]


def _tell_delivery(row: Row) -> list[Happening]:
    """When it is due, each attempt with its answer, and how it stands."""
    name = row["destination"]
    attempts = orjson.loads(row["history"] or "[]")
    lines = [
        (datetime.fromisoformat(each["at"]), name, f"attempt {each['attempt']}: {each.get('reason', 'done')}")
        for each in attempts
    ]
    return [*lines, (row["due_at"], name, f"due; now {row['state']}")]
