"""What is asked of the numbers' tables. Answers are a second or two behind `facts` (numbers/tallying.py).

Without a filter everything is read from `tally`, which holds few rows a day. With one filter totals and trend are too.
Otherwise `cells` are read, and for days at the ends of a view that are no whole period `counted`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, Row, Select, Table, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.numbers.attribution import COLUMNS, COUNTERS, next_period, period_of
from csat.numbers.figures import Counts
from csat.numbers.lists import Position, Rated, comments
from csat.numbers.view import DIMENSIONS, Dimension, Step, View

Breakdown = Mapping[str, Counts]
"""Counts by value, in the order of values; "" stands for none. They add up to the view's totals."""

Trend = Sequence[tuple[date, Counts]]
"""Counts by period, oldest first, under its first day (Mondays, firsts of months); empty periods are there too.

The first and the last period hold only what of them is in the view.
"""

__all__ = [
    "Choices",
    "Picture",
    "Position",
    "Rated",
    "breakdown",
    "choices",
    "comments",
    "everything",
    "totals",
    "trend",
]

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
