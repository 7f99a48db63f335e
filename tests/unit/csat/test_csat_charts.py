"""The geometry of charts: places and pieces, and what happens with nothing, with one point, with gaps."""

import re
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from csat.dashboard import charts, view_model
from csat.dashboard.routes import FILTERS
from csat.kpi.measures import Counts, Figure, kpi
from csat.policy.kpi import KpiPolicy
from supportops.web.layout import PageLayout
from supportops.web.site import Site
from tests.support.for_each import for_each

NOTHING = Figure(None, 0, 0, 0.0, 1.0, 0.95)
HALF = Figure(0.5, 5, 10, 0.25, 0.75, 0.5)
RULES = KpiPolicy()


def figure(share: float, low: float, high: float) -> Figure:
    return Figure(share, int(share * 100), 100, low, high, 0.95)


@for_each(
    "shares, target, expected",
    [
        ([], 0.95, (0, 100)),
        ([], None, (0, 100)),
        ([(0.93, 0.97)], 0.95, (93, 97)),
        ([(0.5, 0.99)], 0.95, (40, 100)),
        ([(0.0, 1.0)], None, (0, 100)),
        ([(0.95, 0.95)], 0.95, (95, 96)),
        ([(1.0, 1.0)], None, (99, 100)),
        ([(0.1, 0.3)], 0.9, (0, 100)),
    ],
)
def test_the_axis(shares: list[tuple[float, float]], target: float | None, expected: tuple[int, int]) -> None:
    assert charts.axis([figure(0.95, *each) for each in shares], target) == expected


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=60))
def test_every_place_is_inside_the_picture(pairs: list[tuple[int, int]]) -> None:
    figures = [kpi(Counts(good=good, bad=bad), 0.95) for good, bad in pairs]
    chart = charts.trend(figures, 0.95)
    box = chart.box
    assert len(chart.dots) == sum(1 for each in figures if each.n)
    for dot in chart.dots:
        assert box.left <= dot.x <= box.right
        assert box.top <= dot.high_y <= dot.y <= dot.low_y <= box.bottom
    assert chart.target_y is not None
    assert box.top <= chart.target_y <= box.bottom
    assert 2 <= len(chart.across) <= charts.MOST_TICKS + 1
    assert 1 <= len(chart.below) <= charts.MOST_LABELS


def test_without_data_there_is_an_axis_and_no_line() -> None:
    chart = charts.trend([NOTHING, NOTHING], 0.95)
    assert (chart.dots, chart.lines, chart.bands) == ((), (), ())
    assert [tick.value for tick in chart.across] == [0, 25, 50, 75, 100]
    assert charts.trend([], None).dots == ()


def test_one_point_stands_in_the_middle_with_its_interval_upright() -> None:
    chart = charts.trend([HALF], 0.5)
    [dot] = chart.dots
    assert dot.x == (charts.TREND.left + charts.TREND.right) / 2
    assert chart.bands == (f"M{dot.x:g} {dot.high_y:g} L{dot.x:g} {dot.low_y:g} Z",)


def test_a_period_without_data_leaves_a_gap() -> None:
    chart = charts.trend([HALF, HALF, NOTHING, HALF], 0.5)
    assert [dot.index for dot in chart.dots] == [0, 1, 3]
    assert len(chart.lines) == len(chart.bands) == 2


@for_each("share, x", [(Figure(0.0, 0, 9, 0, 0.3), 2), (Figure(1.0, 9, 9, 0.7, 1), 298), (NOTHING, None)])
def test_a_bar_goes_from_nothing_to_all(share: Figure, x: float | None) -> None:
    assert charts.bar(share).value_x == x


def test_a_line_is_told_in_words_too() -> None:
    trend = [
        (date(2026, 9, 7), Counts(10, 10, 10, 9, 1)),
        (date(2026, 9, 14), Counts()),
        (date(2026, 9, 21), Counts(10, 10, 10, 4, 1)),
    ]
    panel, *_ = view_model.panels(trend, "week", RULES)
    assert panel.summary == (
        "2 of 3 weeks have data. Last 80.0 % (21 Sep 2026), lowest 80.0 % (21 Sep 2026), "
        "highest 90.0 % (7 Sep 2026)."
    )
    assert view_model.panels([], "month", RULES)[0].summary == "No data in any month yet."


@for_each("hostile", ["<script>alert(1)</script>", "</title><image href=x>", '" onload="x', "a&b"])
def test_labels_of_a_chart_are_text(hostile: str) -> None:
    look = PageLayout("csat.dashboard", Site("csat", "/dashboard"), FILTERS)
    panel, *_ = view_model.panels([(date(2026, 9, 7), Counts(10, 10, 10, 9, 1))], "week", RULES)
    period = view_model.Period(hostile, hostile, panel.periods[0].figure)
    module = look.templates.get_template("charts.html").make_module({})
    text = str(module.trend(view_model.Panel(panel.kind, panel.chart, (period,), hostile), "week"))  # type: ignore[attr-defined]
    assert hostile not in text
    assert re.findall(r"<(\w+)", text).count("script") == 0
    assert 'onload="' not in text
