"""What is asked of the numbers' tables. Answers are a second or two behind `facts` (numbers/tallying.py).

Without a filter everything is read from `tally`, which holds few rows a day. With one filter totals and trend are too.
Otherwise `cells` are read, and for days at the ends of a view that are no whole period `counted`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.numbers.attribution import COLUMNS, COUNTERS, next_period, period_of
from csat.numbers.figures import Counts
from csat.numbers.view import DIMENSIONS, Dimension, Step, View, start_of

Breakdown = Mapping[str, Counts]
"""Counts by value, in the order of values; "" stands for none. They add up to the view's totals."""

Trend = Sequence[tuple[date, Counts]]
"""Counts by period, oldest first, under its first day (Mondays, firsts of months); empty periods are there too.

The first and the last period hold only what of them is in the view.
"""

Choices = Mapping[Dimension, Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """Everything that a page about a view shows, comments excepted."""

    totals: Counts
    breakdowns: Mapping[Dimension, Breakdown]
    trend: Trend
    choices: Choices


async def totals(conn: AsyncConnection, view: View) -> Counts:
    """What is counted in the view."""
    return sum((counts for _, counts in await _by_day(conn, view)), Counts())


async def breakdown(conn: AsyncConnection, view: View, dimension: Dimension) -> Breakdown:
    """The same for each value of `dimension`."""
    return (await _breakdowns(conn, view, (dimension,)))[dimension]


async def trend(conn: AsyncConnection, view: View, step: Step) -> Trend:
    """The same for each week or month."""
    return _steps(view, step, await _by_day(conn, view))


async def choices(conn: AsyncConnection, view: View) -> Choices:
    """The values that each dimension has in the view's days, whatever its filters, in their order."""
    found = await _tallied(conn, View(view.since, view.until), DIMENSIONS)
    return {name: list(found[name]) for name in DIMENSIONS}


async def everything(conn: AsyncConnection, view: View, step: Step) -> Picture:
    """All of the above in as few statements as possible."""
    breakdowns = await _breakdowns(conn, view, DIMENSIONS)
    values = {name: list(breakdowns[name]) for name in DIMENSIONS}
    return Picture(
        totals=sum(breakdowns[DIMENSIONS[0]].values(), Counts()),
        breakdowns=breakdowns,
        trend=await trend(conn, view, step),
        choices=await choices(conn, view) if view.filters else values,
    )


async def _breakdowns(
    conn: AsyncConnection, view: View, dimensions: Sequence[Dimension]
) -> dict[Dimension, Breakdown]:
    if not view.filters:
        return await _tallied(conn, view, dimensions)
    chosen = _chosen_cells(view)
    parts = [_by_value(name, chosen.c[COLUMNS[name]], chosen) for name in dimensions]
    return _sorted(dimensions, (await conn.execute(union_all(*parts))).all())


async def _tallied(
    conn: AsyncConnection, view: View, dimensions: Sequence[Dimension]
) -> dict[Dimension, Breakdown]:
    tally = tables.tally
    query = (
        select(tally.c.dimension, tally.c.value, *_sums(tally))
        .where(tally.c.dimension.in_(dimensions), *_days(tally.c.day, view))
        .group_by(tally.c.dimension, tally.c.value)
    )
    return _sorted(dimensions, (await conn.execute(query)).all())


async def _by_day(conn: AsyncConnection, view: View) -> list[tuple[date, Counts]]:
    """Counts by day, or by periods within which everything is wanted."""
    if len(view.filters) > 1:
        found = await conn.execute(union_all(*_parts(view, lambda _, when: [when])))
    else:
        dimension, value = view.filters[0] if view.filters else ("", "")
        tally = tables.tally
        found = await conn.execute(
            select(tally.c.day, *(tally.c[name] for name in COUNTERS)).where(
                tally.c.dimension == dimension, tally.c.value == value, *_days(tally.c.day, view)
            )
        )
    return [(row[0], Counts(*row[1:])) for row in found]


def _chosen_cells(view: View) -> CTE:
    """The cells of the view by all dimensions, whenever they were: a few thousand rows, which are read often."""
    parts = _parts(view, lambda table, _: [table.c[column] for column in COLUMNS.values()])
    return union_all(*parts).cte("chosen")


def _parts(view: View, grouped: Any) -> list[Select[Any]]:
    """Whole periods from `cells`, the days before and after them from `counted`.

    `grouped` names the columns to group by, given the table and its column of time.
    """
    since, until = _whole_periods(view)
    cells, counted = tables.cells, tables.counted
    within = [cells.c.period >= since, cells.c.period < until]
    before = (counted.c.day >= view.since) & (counted.c.day < since)
    after = (counted.c.day >= until) & (counted.c.day < view.until)
    wanted = ((cells, cells.c.period, within), (counted, counted.c.day, [or_(before, after)]))
    selects = []
    for table, when, where in wanted:
        columns = grouped(table, when)
        filters = [table.c[COLUMNS[name]] == value for name, value in view.filters]
        selects.append(select(*columns, *_sums(table)).where(*where, *filters).group_by(*columns))
    return selects


def _whole_periods(view: View) -> tuple[date, date]:
    """The days between which the view consists of whole periods; the same day twice where there are none."""
    since = view.since if period_of(view.since) == view.since else next_period(view.since)
    until = period_of(view.until)
    return (since, until) if since < until else (view.until, view.until)


def _by_value(name: Dimension, column: ColumnElement[str], chosen: CTE) -> Select[Any]:
    named: list[ColumnElement[Any]] = [literal(name).label("dimension"), column.label("value")]
    return select(*named, *_sums(chosen)).group_by(column)


def _sums(table: Table | CTE) -> list[ColumnElement[int]]:
    return [func.sum(table.c[name]).label(name) for name in COUNTERS]


def _days(column: ColumnElement[date], view: View) -> list[ColumnElement[bool]]:
    return [column >= view.since, column < view.until]


def _sorted(dimensions: Sequence[Dimension], rows: Sequence[Row[Any]]) -> dict[Dimension, Breakdown]:
    found: dict[str, dict[str, Counts]] = {name: {} for name in dimensions}
    for row in sorted(rows, key=lambda row: (row.dimension, row.value)):
        if row.solved:
            found[row.dimension][row.value] = Counts(*(int(getattr(row, name)) for name in COUNTERS))
    return {name: found[name] for name in dimensions}


def _steps(view: View, step: Step, by_day: Sequence[tuple[date, Counts]]) -> Trend:
    sums: dict[date, Counts] = defaultdict(Counts)
    for day, counts in by_day:
        sums[_first_day(day, step)] += counts
    periods = []
    first, last = _first_day(view.since, step), _first_day(view.until - timedelta(days=1), step)
    while first <= last:
        periods.append((first, sums[first]))
        first = _first_day(first + timedelta(days=7 if step == "week" else 32), step)
    return periods


def _first_day(day: date, step: Step) -> date:
    return day.replace(day=1) if step == "month" else day - timedelta(days=day.weekday())


# Answers and decisions one by one, newest first, page by page.

Position = tuple[datetime, str]
"""Where a page ended: the moment and the key of its last row."""

_counted, _ratings = tables.counted, tables.ratings
_decisions, _surveys = tables.decisions, tables.surveys
_DECISION: list[ColumnElement[Any]] = [
    *(_decisions.c[name] for name in ("ticket_id", "solve", "solved_at", "decided_at", "rule", "reason")),
    _decisions.c.send.label("asked"),
]


@dataclass(frozen=True)
class Rated:
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

    @property
    def position(self) -> Position:
        """Where a page that ends with this row ends."""
        return self.rated_at, self.ticket_id


@dataclass(frozen=True)
class Asked:
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
) -> list[Rated]:
    """The answers of the view that have a comment, those rated last first."""
    query = _rated(view, limit, before).where(_counted.c.has_comment, _ratings.c.comment.is_not(None))
    return await _read_rated(conn, query)


async def ratings(
    conn: AsyncConnection, view: View, limit: int, before: Position | None = None, score: str | None = None
) -> list[Rated]:
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
) -> list[Asked]:
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
    return [Asked(**row) for row in rows]


def _rated(view: View, limit: int, before: Position | None) -> Select[Any]:
    names = [_counted.c[COLUMNS[name]].label(name) for name in DIMENSIONS]
    more = [_ratings.c[name] for name in ("score", "comment", "source", "revision")]
    filters = [_counted.c[COLUMNS[name]] == value for name, value in view.filters]
    return (
        select(_counted.c.ticket_id, _counted.c.rated_at, *names, *more)
        .join_from(_counted, _ratings, _ratings.c.ticket_id == _counted.c.ticket_id)
        .where(_counted.c.rated_at.is_not(None), *_past(_counted.c.rated_at, _counted.c.ticket_id, before))
        .where(_counted.c.day >= view.since, _counted.c.day < view.until, *filters)
        .order_by(_counted.c.rated_at.desc(), _counted.c.ticket_id.desc())
        .limit(limit)
    )


def _past(moment: Column[Any], key: Column[str], before: Position | None) -> Sequence[ColumnElement[bool]]:
    """Rows beyond the last one of a page; the first condition alone is what an index can start from."""
    if before is None:
        return ()
    at, last = before
    return moment <= at, or_(moment < at, key < last)


async def _read_rated(conn: AsyncConnection, query: Select[Any]) -> list[Rated]:
    rows = (await conn.execute(query)).mappings()
    return [Rated(**dict(row) | {"comment": row["comment"] or ""}) for row in rows]
