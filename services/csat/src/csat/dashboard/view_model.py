"""What the page shows, laid out: from counts to cards, lines and tables. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from csat.dashboard import charts, formatting, urls
from csat.kpi.filters import DIMENSIONS, Dimension, Step, View, label
from csat.kpi.measures import Counts, Figure, Figures, figures_of
from csat.kpi.queries import Breakdown, Trend
from csat.policy.kpi import KpiPolicy

Measure = Literal["kpi", "response_rate", "offered_rate"]

TITLES: dict[Dimension, str] = {
    "form": "Form",
    "plan": "Plan",
    "region": "Region",
    "group": "Group",
    "assignee": "Assignee",
    "reason": "Reason",
}
SHOWN = 8
"""Rows of a breakdown before the rest is folded away."""


@dataclass(frozen=True)
class Kind:
    """What a measure is called, and of what it is a share."""

    measure: Measure
    title: str
    of: str
    figure: Callable[[Figures], Figure]


KINDS = (
    Kind("kpi", "Satisfaction (KPI)", "good of all answers", lambda figures: figures.kpi),
    Kind("response_rate", "Response rate", "answered of asked", lambda figures: figures.response_rate),
    Kind("offered_rate", "Offered rate", "asked of decided", lambda figures: figures.offered_rate),
)


@dataclass(frozen=True)
class Card:
    """One figure of the whole view."""

    kind: Kind
    figure: Figure
    bar: charts.Bar


@dataclass(frozen=True)
class Period:
    """One row of the table behind a line."""

    name: str
    short: str
    figure: Figure


@dataclass(frozen=True)
class Panel:
    """One figure over time."""

    kind: Kind
    chart: charts.Trend
    periods: tuple[Period, ...]
    summary: str


@dataclass(frozen=True)
class Row:
    """One value of a dimension; `href` narrows the view down to it."""

    name: str
    href: str
    counts: Counts
    figures: Figures
    bar: charts.Bar

    @property
    def is_small(self) -> bool:
        """Whether its answers are too few to say much."""
        return self.counts.answered < formatting.SMALL


@dataclass(frozen=True)
class Table:
    """A breakdown: the rows that matter most, and the folded rest."""

    dimension: Dimension
    title: str
    rows: tuple[Row, ...]

    @property
    def first(self) -> tuple[Row, ...]:
        """The rows shown at once."""
        return self.rows[:SHOWN]

    @property
    def rest(self) -> tuple[Row, ...]:
        """The others."""
        return self.rows[SHOWN:]

    @property
    def total(self) -> Counts:
        """The sum of all rows."""
        return sum((row.counts for row in self.rows), Counts())


@dataclass(frozen=True)
class Chip:
    """A filter in force; `href` takes it off."""

    title: str
    value: str
    href: str


def cards(totals: Counts, policy: KpiPolicy) -> list[Card]:
    """The three figures."""
    figures = figures_of(totals, policy)
    found = ((kind, kind.figure(figures)) for kind in KINDS)
    return [Card(kind, figure, charts.bar(figure)) for kind, figure in found]


def panels(trend: Trend, step: Step, policy: KpiPolicy) -> list[Panel]:
    """The three figures by week or month."""
    figures = [(first, figures_of(counts, policy)) for first, counts in trend]
    return [
        _panel(
            kind,
            tuple(
                Period(
                    formatting.period(first, step), formatting.short_period(first, step), kind.figure(each)
                )
                for first, each in figures
            ),
            step,
        )
        for kind in KINDS
    ]


def breakdowns(
    found: Mapping[Dimension, Breakdown], view: View, step: Step, policy: KpiPolicy
) -> list[Table]:
    """A table for each dimension: most answers first; reasons by how many were unhappy for them."""
    return [_table(dimension, found[dimension], view, step, policy) for dimension in DIMENSIONS]


def chips(view: View, step: Step) -> list[Chip]:
    """The filters in force."""
    return [
        Chip(TITLES[name], label(value), urls.page(urls.narrowed(view, name, None), step))
        for name, value in view.filters
    ]


def _panel(kind: Kind, periods: tuple[Period, ...], step: Step) -> Panel:
    target = periods[0].figure.target if periods else None
    chart = charts.trend([period.figure for period in periods], target)
    return Panel(kind, chart, periods, _summary(periods, step))


def _summary(periods: Sequence[Period], step: Step) -> str:
    """What somebody who cannot see the line wants to know of it."""
    known = [(period.figure.value, period) for period in periods if period.figure.value is not None]
    if not known:
        return f"No data in any {step} yet."
    lowest, highest = min(known, key=lambda pair: pair[0]), max(known, key=lambda pair: pair[0])
    last = known[-1][1]
    return (
        f"{len(known)} of {len(periods)} {step}s have data. "
        f"Last {formatting.percent(last.figure.value)} ({last.name}), "
        f"lowest {formatting.percent(lowest[0])} ({lowest[1].name}), "
        f"highest {formatting.percent(highest[0])} ({highest[1].name})."
    )


def _table(dimension: Dimension, found: Breakdown, view: View, step: Step, policy: KpiPolicy) -> Table:
    rows = (_row(dimension, value, counts, view, step, policy) for value, counts in found.items())
    if dimension == "reason":
        unhappy = [row for row in rows if row.counts.bad]
        return Table(
            dimension, TITLES[dimension], tuple(sorted(unhappy, key=lambda row: (-row.counts.bad, row.name)))
        )
    ordered = sorted(rows, key=lambda row: (-row.counts.answered, -row.counts.solved, row.name))
    return Table(dimension, TITLES[dimension], tuple(ordered))


def _row(dimension: Dimension, value: str, counts: Counts, view: View, step: Step, policy: KpiPolicy) -> Row:
    figures = figures_of(counts, policy)
    href = urls.page(urls.narrowed(view, dimension, value), step)
    return Row(label(value), href, counts, figures, charts.bar(figures.kpi, charts.SMALL_BAR))
