"""What is asked of the numbers' tables. Answers are at most a second behind `facts` (numbers/tallying.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from csat.numbers.figures import Counts
from csat.numbers.view import Dimension, Step, View

Breakdown = Mapping[str, Counts]
"""Counts by value, in the order of values; "" stands for none. They add up to the view's totals."""

Trend = Sequence[tuple[date, Counts]]
"""Counts by period, oldest first, under its first day (Mondays, firsts of months); empty periods are there too.

The first and the last period hold only what of them is in the view.
"""


@dataclass(frozen=True)
class Picture:
    """Everything that a page about a view shows, comments excepted."""

    totals: Counts
    breakdowns: Mapping[Dimension, Breakdown]
    trend: Trend
    choices: Mapping[Dimension, Sequence[str]]


@dataclass(frozen=True)
class Comment:
    """A ticket's latest answer with its comment, and what the ticket was when it was solved."""

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


async def totals(conn: AsyncConnection, view: View) -> Counts:
    """What is counted in the view."""
    raise NotImplementedError


async def breakdown(conn: AsyncConnection, view: View, dimension: Dimension) -> Breakdown:
    """The same for each value of `dimension`."""
    raise NotImplementedError


async def trend(conn: AsyncConnection, view: View, step: Step) -> Trend:
    """The same for each week or month."""
    raise NotImplementedError


async def choices(conn: AsyncConnection, view: View) -> Mapping[Dimension, Sequence[str]]:
    """The values that each dimension has in the view's days, whatever its filters, in their order."""
    raise NotImplementedError


async def everything(conn: AsyncConnection, view: View, step: Step) -> Picture:
    """All of the above in as few statements as possible."""
    raise NotImplementedError


async def comments(
    conn: AsyncConnection, view: View, limit: int, before: tuple[datetime, str] | None = None
) -> list[Comment]:
    """The latest answers with a comment, newest first; `before`: `rated_at` and `ticket_id` of the last one seen."""
    raise NotImplementedError
