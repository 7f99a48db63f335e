"""The answer that counts: taken, kept, and told to others. One door for our page and for Zendesk's own ratings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from csat import tables
from csat.destinations import FEEDBACK
from csat.kpi import ticket_facts
from csat.ratings.answer import Answer
from supportops.contracts import FeedbackReceived
from supportops.store import Transaction

SOURCE = "/csat"

Source = Literal["hosted", "native"]


@dataclass(frozen=True)
class Rating:
    """The answer that counts for a ticket; `revision` counts its changes from 1."""

    ticket_id: str
    rating_id: str
    answer: Answer
    revision: int
    source: Source
    requester_id: str | None
    rated_at: datetime


async def rating_of_ticket(conn: AsyncConnection, ticket_id: str) -> Rating | None:
    """The answer that counts for the ticket now."""
    query = select(tables.ratings).where(tables.ratings.c.ticket_id == ticket_id)
    row = (await conn.execute(query)).mappings().one_or_none()
    return None if row is None else rating_of(dict(row))


@dataclass(frozen=True)
class NewRating:
    """An answer with its circumstances; `rated_at` decides which of two is the latest."""

    answer: Answer
    source: Source
    requester_id: str | None
    rated_at: datetime
    from_agents: bool = False
    """Given from a network of the organization's agents, who see their tickets' links."""


async def record_answer(
    tx: Transaction, ticket_id: str, given: NewRating, *, cause: str | None = None, publish: bool = True
) -> Rating:
    """Take an answer; the latest one of a ticket counts, and the same one again changes nothing.

    `tell` False: an answer of long ago (backfill); it counts in the numbers, but nobody hears of it.
    """
    rows = await tx.load(tables.ratings, [ticket_id])  # locks: answers for one ticket take turns
    row = rows.get(ticket_id)
    answer = given.answer
    if row is not None and (given.rated_at < row["rated_at"] or rating_of(row).answer == answer):
        if row["from_agents"] and not given.from_agents and given.rated_at >= row["rated_at"]:
            await _confirm(tx, row)
        return rating_of(row)
    revision = row["revision"] + 1 if row is not None else 1
    values = {
        "source": given.source,
        "score": answer.score,
        "comment": answer.comment,
        "reason": answer.reason,
        "rated_at": given.rated_at,
        "from_agents": given.from_agents,
    }
    rating_id = row["rating_id"] if row is not None else str(uuid7())
    rows.put(ticket_id, rating_id=rating_id, requester_id=given.requester_id, revision=revision, **values)
    answer_id = f"{rating_id}:{revision}"
    answers = await tx.load(tables.answers, [answer_id])
    answers.put(answer_id, ticket_id=ticket_id, revision=revision, **values)
    await _note(tx, ticket_id, given)
    rating = rating_of(rows.get(ticket_id) or {})
    if publish:
        _publish(tx, rating, cause)
    return rating


async def _confirm(tx: Transaction, row: Mapping[str, Any]) -> None:
    """The same answer once more, and not from the agents' side: it is the customer's."""
    tx.rows(tables.ratings).put(row["ticket_id"], from_agents=False)
    answer_id = f"{row['rating_id']}:{row['revision']}"
    answers = await tx.load(tables.answers, [answer_id])
    if answers.get(answer_id) is not None:
        answers.put(answer_id, from_agents=False)


async def _note(tx: Transaction, ticket_id: str, given: NewRating) -> None:
    answer = given.answer
    await ticket_facts.note(
        tx,
        ticket_id,
        score=answer.score,
        reason=answer.reason or "",
        has_comment=answer.comment is not None,
        rated_at=given.rated_at,
    )


def _publish(tx: Transaction, rating: Rating, cause: str | None) -> None:
    """Everyone who subscribed, and GitLab: the issue is made or brought up to date from what counts by then."""
    tx.publish(_feedback(rating, cause))
    tx.deliveries.schedule(
        FEEDBACK,
        f"{rating.rating_id}:{rating.revision}",
        lane=rating.ticket_id,
        payload={"ticket_id": rating.ticket_id, "revision": rating.revision},
    )


def rating_of(row: Mapping[str, Any]) -> Rating:
    """A row of `ratings`."""
    answer = Answer(row["score"], row["comment"], row["reason"])
    return Rating(
        row["ticket_id"],
        row["rating_id"],
        answer,
        row["revision"],
        row["source"],
        row["requester_id"],
        row["rated_at"],
    )


def _feedback(rating: Rating, cause: str | None) -> FeedbackReceived:
    return FeedbackReceived(
        id=f"feedback:{rating.rating_id}:{rating.revision}",
        source=SOURCE,
        time=rating.rated_at,
        subject=rating.ticket_id,
        correlation_id=cause,
        ticket_id=rating.ticket_id,
        rating_id=rating.rating_id,
        score=rating.answer.score,
        comment=rating.answer.comment,
        reason=rating.answer.reason,
        requester_id=rating.requester_id,
        rated_at=rating.rated_at,
        source_kind=rating.source,
    )
