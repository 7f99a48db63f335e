"""What is written down about issues: the table `issues`, through which one ticket gets one issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.destinations import FEEDBACK_TAG
from csat.feedback.issue_content import comment_hash
from csat.ratings.repository import Rating, rating_of_ticket
from supportops.store import Transaction
from supportops.vendors.gitlab import Issue


@dataclass(frozen=True)
class Export:
    """What we know of a ticket's issue. `revision` of the answer that it shows; `skipped`: why there is none."""

    iid: str | None
    revision: int
    noted_comment: str
    skipped: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(row["iid"], row["revision"], row["noted_comment"] or "", row["skipped"])


@dataclass(frozen=True)
class Names:
    """Form and plan of a ticket at its solve; "" where it has none."""

    form: str
    plan: str


@dataclass(frozen=True)
class Known:
    """What our database says of a ticket's feedback. `first_at`: when the ticket was first rated."""

    rating: Rating | None
    export: Export | None
    names: Names | None
    first_at: datetime | None


async def known_of(conn: AsyncConnection, ticket_id: str) -> Known:
    """The answer that counts, the issue, the names as of the solve (None: not read yet), the first answer."""
    issues, facts, answers = tables.issues, tables.ticket_facts, tables.answers
    row = (await conn.execute(select(issues).where(issues.c.ticket_id == ticket_id))).mappings().one_or_none()
    described = select(facts.c.form, facts.c.plan).where(
        facts.c.ticket_id == ticket_id, facts.c.described_at.is_not(None)
    )
    names = (await conn.execute(described)).one_or_none()
    first = select(func.min(answers.c.rated_at)).where(answers.c.ticket_id == ticket_id)
    return Known(
        await rating_of_ticket(conn, ticket_id),
        None if row is None else Export.of(dict(row)),
        None if names is None else Names(names.form, names.plan),
        (await conn.execute(first)).scalar_one_or_none(),
    )


async def comment_of(conn: AsyncConnection, ticket_id: str, revision: int) -> str | None:
    """The comment of one of a ticket's answers."""
    answers = tables.answers
    query = select(answers.c.comment).where(answers.c.ticket_id == ticket_id, answers.c.revision == revision)
    comment: str | None = (await conn.execute(query)).scalar_one_or_none()
    return comment


async def record_issue(tx: Transaction, rating: Rating, issue: Issue, marker: str) -> None:
    """The issue exists and shows this answer; now the ticket may be tagged. Repeated, it changes nothing."""
    rows = await tx.load(tables.issues, [rating.ticket_id])
    if rows.get(rating.ticket_id) is None:
        rows.put(rating.ticket_id, created_at=tx.now, tagged_at=None)
    rows.put(
        rating.ticket_id,
        project_id=str(issue.project_id),
        iid=str(issue.iid),
        web_url=issue.web_url,
        marker=marker,
        revision=rating.revision,
        skipped=None,
        updated_at=tx.now,
    )
    if rating.answer.comment:
        rows.put(rating.ticket_id, noted_comment=comment_hash(rating.answer.comment))
    payload = {"ticket_id": rating.ticket_id}
    tx.deliveries.schedule(FEEDBACK_TAG, marker, lane=rating.ticket_id, payload=payload)


async def record_skipped(tx: Transaction, rating: Rating, why: str) -> None:
    """There will be no issue of ours for this ticket."""
    rows = await tx.load(tables.issues, [rating.ticket_id])
    if rows.get(rating.ticket_id) is None:
        rows.put(rating.ticket_id, created_at=tx.now, tagged_at=None)
    rows.put(rating.ticket_id, revision=rating.revision, skipped=why, updated_at=tx.now)
