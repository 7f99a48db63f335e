"""Answers and decisions one by one, newest first, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.kpi.buckets import COLUMNS
from csat.kpi.filters import DIMENSIONS, View, start_of
from csat.kpi.queries import within

Position = tuple[datetime, str]
"""Where a page ended: the moment and the key of its last row."""

_counted, _ratings = tables.counted, tables.ratings
_decisions, _surveys = tables.decisions, tables.surveys
_DECISION: list[ColumnElement[Any]] = [
    *(_decisions.c[name] for name in ("ticket_id", "solve", "solved_at", "decided_at", "rule", "reason")),
    _decisions.c.send.label("asked"),
]


@dataclass(frozen=True)
class RatingRow:
    """A ticket's answer that counts, and what the ticket was when it was solved; "" where there is none."""

    ticket_id: str
    rated_at: datetime
    score: str
    comment: str
    reason: str
    form: str
    plan: str
    region: str
    group: str
    assignee: str
    source: str
    revision: int
    from_agents: bool

    @property
    def position(self) -> Position:
        """Where a page that ends with this row ends."""
        return self.rated_at, self.ticket_id


@dataclass(frozen=True)
class DecisionRow:
    """What was decided about one solve; `mode` and `sent_at` are those of the survey that was sent for it."""

    ticket_id: str
    solve: str
    solved_at: datetime
    decided_at: datetime
    asked: bool
    rule: str
    reason: str
    mode: str | None
    sent_at: datetime | None

    @property
    def position(self) -> Position:
        """Where a page that ends with this row ends."""
        return self.solved_at, self.solve


async def comments(
    conn: AsyncConnection, view: View, limit: int, before: Position | None = None
) -> list[RatingRow]:
    """The answers of the view that have a comment, those rated last first."""
    query = _rated(view, limit, before).where(_counted.c.has_comment, _ratings.c.comment.is_not(None))
    return await _read_rated(conn, query)


async def ratings(
    conn: AsyncConnection, view: View, limit: int, before: Position | None = None, score: str | None = None
) -> list[RatingRow]:
    """The answers of the view, those rated last first; `score` narrows them down to good or bad ones."""
    query = _rated(view, limit, before)
    return await _read_rated(conn, query if score is None else query.where(_counted.c[score] == 1))


@dataclass(frozen=True)
class Range:
    """Decisions about solves from `since` on and before `until`; `rule`: only those that this rule made."""

    since: datetime
    until: datetime
    rule: str | None = None

    @classmethod
    def of(cls, view: View, zone: tzinfo, rule: str | None = None) -> "Range":
        """The days of a view."""
        return cls(start_of(view.since, zone), start_of(view.until, zone), rule)


async def surveys(
    conn: AsyncConnection, wanted: Range, limit: int, before: Position | None = None
) -> list[DecisionRow]:
    """Decisions, those about the latest solve first."""
    sent = and_(
        _surveys.c.ticket_id == _decisions.c.ticket_id,
        _surveys.c.solved_at == _decisions.c.solved_at,
        _surveys.c.sent_at.is_not(None),
    )
    query = (
        select(*_DECISION, _surveys.c.mode, _surveys.c.sent_at)
        .join_from(_decisions, _surveys, sent, isouter=True)
        .where(_decisions.c.solved_at >= wanted.since, _decisions.c.solved_at < wanted.until)
        .where(*_past(_decisions.c.solved_at, _decisions.c.solve, before))
        .order_by(_decisions.c.solved_at.desc(), _decisions.c.solve.desc())
        .limit(limit)
    )
    if wanted.rule is not None:
        query = query.where(_decisions.c.rule == wanted.rule)
    rows = (await conn.execute(query)).mappings()
    return [DecisionRow(**row) for row in rows]


def _rated(view: View, limit: int, before: Position | None) -> Select[Any]:
    names = [_counted.c[COLUMNS[name]].label(name) for name in DIMENSIONS]
    more = [_ratings.c[name] for name in ("score", "comment", "source", "revision", "from_agents")]
    filters = [_counted.c[COLUMNS[name]] == value for name, value in view.filters]
    return (
        select(_counted.c.ticket_id, _counted.c.rated_at, *names, *more)
        .join_from(_counted, _ratings, _ratings.c.ticket_id == _counted.c.ticket_id)
        .where(_counted.c.rated_at.is_not(None), *_past(_counted.c.rated_at, _counted.c.ticket_id, before))
        .where(*within(_counted.c.day, (view.since, view.until)), *filters)
        .order_by(_counted.c.rated_at.desc(), _counted.c.ticket_id.desc())
        .limit(limit)
    )


def _past(moment: Column[Any], key: Column[str], before: Position | None) -> Sequence[ColumnElement[bool]]:
    """Rows beyond the last one of a page; the first condition alone is what an index can start from."""
    if before is None:
        return ()
    at, last = before
    return moment <= at, or_(moment < at, key < last)


async def _read_rated(conn: AsyncConnection, query: Select[Any]) -> list[RatingRow]:
    rows = (await conn.execute(query)).mappings()
    return [RatingRow(**dict(row) | {"comment": row["comment"] or ""}) for row in rows]
