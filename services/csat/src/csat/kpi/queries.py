"""What is asked of the numbers' tables. Answers are a second or two behind `facts` (kpi/aggregation.py).

Up to one filter everything is read from `tally`, which holds few rows a week; with two filters totals and trend are.
Otherwise `cells` are read. For days at the ends of a view that are no whole period it is `counted` (decision 0071).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Date,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.kpi.buckets import COLUMNS, COUNTERS, next_period, period_of
from csat.kpi.filters import DIMENSIONS, Dimension, Step, View
from csat.kpi.measures import Counts

Breakdown = Mapping[str, Counts]
"""Counts by value, in the order of values; "" stands for none. They add up to the view's totals."""

Trend = Sequence[tuple[date, Counts]]
"""Counts by period, oldest first, under its first day (Mondays, firsts of months); empty periods are there too.

The first and the last period hold only what of them is in the view.
"""

Choices = Mapping[Dimension, Sequence[str]]

type Days = tuple[date, date]
type Found = dict[Dimension, dict[str, Counts]]


@dataclass(frozen=True)
class ViewCounts:
    """All counts of a view: what a page about it shows beside its comments."""

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
    """The values that each dimension has in the weeks that the view touches, whatever its filters, in their order."""
    found = await _tallied(conn, ("", ""), DIMENSIONS, (period_of(view.since), view.until))
    return {name: sorted(found[name]) for name in DIMENSIONS}


async def everything(conn: AsyncConnection, view: View, step: Step) -> ViewCounts:
    """All of the above in as few statements as possible."""
    breakdowns = await _breakdowns(conn, view, DIMENSIONS)
    values = {name: list(breakdowns[name]) for name in DIMENSIONS}
    return ViewCounts(
        totals=sum(breakdowns[DIMENSIONS[0]].values(), Counts()),
        breakdowns=breakdowns,
        trend=await trend(conn, view, step),
        choices=await choices(conn, view) if view.filters else values,
    )


async def _breakdowns(
    conn: AsyncConnection, view: View, dimensions: Sequence[Dimension]
) -> dict[Dimension, Breakdown]:
    if len(view.filters) > 1:
        found = await _by_values(conn, _chosen(view, [tables.cells, tables.counted]), dimensions)
    else:
        narrowed = view.filters[0] if view.filters else ("", "")
        found = await _tallied(conn, narrowed, dimensions, _whole_periods(view))
        if _has_ends(view):
            _add(found, await _by_values(conn, _chosen(view, [tables.counted]), dimensions))
    return {name: dict(sorted(found[name].items())) for name in dimensions}


async def _tallied(
    conn: AsyncConnection, narrowed: tuple[str, str], dimensions: Sequence[Dimension], periods: Days
) -> Found:
    """From `tally`, narrowed down to one value of one dimension; to none by ("", "")."""
    tally = tables.tally
    query = (
        select(tally.c.dimension_b.label("dimension"), tally.c.value_b.label("value"), *_sums(tally))
        .where(tally.c.dimension_a == narrowed[0], tally.c.value_a == narrowed[1])
        .where(tally.c.dimension_b.in_(dimensions), *within(tally.c.period, periods))
        .group_by(tally.c.dimension_b, tally.c.value_b)
    )
    return _found(dimensions, (await conn.execute(query)).all())


async def _by_values(conn: AsyncConnection, chosen: CTE, dimensions: Sequence[Dimension]) -> Found:
    parts = []
    for name in dimensions:
        column = chosen.c[COLUMNS[name]]
        named: list[ColumnElement[Any]] = [literal(name).label("dimension"), column.label("value")]
        parts.append(select(*named, *_sums(chosen)).group_by(column))
    return _found(dimensions, (await conn.execute(union_all(*parts))).all())


async def _by_day(conn: AsyncConnection, view: View) -> list[tuple[date, Counts]]:
    """Counts by period, and by day where only a part of a period is wanted."""
    if len(view.filters) > 2:
        parts = [_by_time(view, tables.cells, tables.cells.c.period)]
    else:
        parts = [_tallied_by_period(view)]
    if _has_ends(view):
        parts.append(_by_time(view, tables.counted, tables.counted.c.day))
    return [(row[0], Counts(*map(int, row[1:]))) for row in await conn.execute(union_all(*parts))]


def _tallied_by_period(view: View) -> Select[Any]:
    """The line of `tally` that up to two filters name; one dimension is counted with itself, too."""
    (a, value_a), (b, value_b) = (view.filters * 2)[:2] or (("", ""), ("", ""))
    tally = tables.tally
    columns = [tally.c.period, *(tally.c[name] for name in COUNTERS)]
    return (
        select(*columns)
        .where(tally.c.dimension_a == a, tally.c.value_a == value_a)
        .where(tally.c.dimension_b == b, tally.c.value_b == value_b)
        .where(*within(tally.c.period, _whole_periods(view)))
    )


def _by_time(view: View, table: Table, column: ColumnElement[date]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [column, *_sums(table)]
    return select(*columns).where(*_in_view(view, table)).group_by(column)


def _chosen(view: View, sources: Sequence[Table]) -> CTE:
    """What is in the view, by all dimensions, whenever it was: a few thousand rows, which are read often."""
    fixed = dict(view.filters)
    parts = []
    for table in sources:
        free = [table.c[column] for name, column in COLUMNS.items() if name not in fixed]
        columns: list[ColumnElement[Any]] = [
            literal(fixed[name]).label(column) if name in fixed else table.c[column]
            for name, column in COLUMNS.items()
        ]
        part = select(*columns, *_sums(table)).where(*_in_view(view, table))
        parts.append(part.group_by(*free) if free else part.having(func.count() > 0))
    return union_all(*parts).cte("chosen")


def _in_view(view: View, table: Table) -> list[ColumnElement[bool]]:
    """Whole periods of `cells`; of `counted` the days before and after them.

    Those lie in two periods, and these are what an index is asked for: how many rows a range of days has, a planner can
    only guess for a statement that is used again and again.
    """
    filters = [table.c[COLUMNS[name]] == value for name, value in view.filters]
    whole = since, until = _whole_periods(view)
    if table is tables.cells:
        return [*within(table.c.period, whole), *filters]
    day = table.c.day
    first, last = _written(period_of(view.since)), _written(period_of(view.until - timedelta(days=1)))
    return [
        or_(table.c.period == first, table.c.period == last),
        or_(and_(*within(day, (view.since, since))), and_(*within(day, (until, view.until)))),
        *filters,
    ]


def _whole_periods(view: View) -> Days:
    """The days between which the view consists of whole periods; its end twice where there are none."""
    since = view.since if period_of(view.since) == view.since else next_period(view.since)
    until = period_of(view.until)
    return (since, until) if since < until else (view.until, view.until)


def _has_ends(view: View) -> bool:
    return _whole_periods(view) != (view.since, view.until)


def within(column: ColumnElement[date], days: Days) -> list[ColumnElement[bool]]:
    """From the first of `days` on and before the second."""
    return [column >= _written(days[0]), column < _written(days[1])]


def _written(day: date) -> BindParameter[date]:
    """The day as a part of the statement: of a parameter PostgreSQL would guess, from the sixth time on, how many rows
    it stands for, and sort a hundred thousand rows instead of hashing them."""
    return bindparam(None, day, type_=Date, literal_execute=True)


def _found(dimensions: Sequence[Dimension], rows: Sequence[Row[Any]]) -> Found:
    found: Found = {name: {} for name in dimensions}
    for row in rows:
        if row.solved:
            found[row.dimension][row.value] = Counts(*(int(getattr(row, name)) for name in COUNTERS))
    return found


def _add(found: Found, more: Found) -> None:
    for name, values in more.items():
        for value, counts in values.items():
            found[name][value] = found[name].get(value, Counts()) + counts


def _sums(table: Table | CTE) -> list[ColumnElement[int]]:
    return [func.sum(table.c[name]).label(name) for name in COUNTERS]


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
