"""The one definition of each number (docs/rules.md C2, C9), and what a spreadsheet gets to see of it."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from csat.kpi.csv_cells import COLUMNS, cells_of
from csat.kpi.measures import Counts, figures_of, kpi, offered_rate, response_rate, wilson
from csat.policy.kpi import KpiPolicy
from supportops.web.csv_text import to_csv
from tests.support.for_each import for_each

SOME = st.lists(st.integers(0, 10**6), min_size=5, max_size=5).map(
    lambda parts: Counts(sum(parts), sum(parts[1:]), sum(parts[2:]), parts[3], parts[4])
)


@for_each(
    "k, n, low, high",
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_intervals_as_published(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_an_interval_holds_its_share(k: int, more: int) -> None:
    low, high = wilson(k, k + more)
    share = k / (k + more) if k + more else 0.5
    assert 0 <= low <= share <= high <= 1


def test_a_hand_calculated_set() -> None:
    counts = Counts(solved=100, decided=80, asked=72, good=19, bad=1)
    assert kpi(counts).value == 0.95
    assert response_rate(counts).value == pytest.approx(20 / 72)
    assert offered_rate(counts).value == 0.9
    assert counts.waiting == 20
    figures = figures_of(counts, KpiPolicy())
    assert [figures.kpi.reached, figures.response_rate.reached, figures.offered_rate.reached] == [True] * 3


def test_nothing_is_not_zero() -> None:
    figures = figures_of(Counts(5, 0, 0, 0, 0), KpiPolicy())
    for figure in (figures.kpi, figures.response_rate, figures.offered_rate):
        assert (figure.value, figure.reached, figure.low, figure.high) == (None, None, 0, 1)


@given(SOME)
def test_surveys_without_an_answer_do_not_move_the_kpi(counts: Counts) -> None:
    bare = Counts(counts.answered, counts.answered, counts.answered, counts.good, counts.bad)
    assert kpi(counts) == kpi(bare)


@given(SOME)
def test_tickets_that_are_not_due_move_nothing(counts: Counts) -> None:
    later = counts + Counts(solved=7)
    rules = KpiPolicy()
    assert figures_of(counts, rules) == figures_of(later, rules)


@given(SOME, SOME)
def test_two_halves_weigh_what_they_count(one: Counts, other: Counts) -> None:
    whole, halves = kpi(one + other), [half for half in (kpi(one), kpi(other)) if half.value is not None]
    assert whole.n == sum(half.n for half in halves)
    if whole.value is not None:
        assert whole.value == pytest.approx(sum((half.value or 0) * half.n for half in halves) / whole.n)


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", 'a "quoted", one', "two\nlines", "Ünïcode"]


def test_csv_is_quoted_and_runs_nothing() -> None:
    written = to_csv(["form", "solved"], [[text, 1] for text in HOSTILE])
    lines = list(csv.reader(io.StringIO(written, newline="")))
    assert lines[0] == ["form", "solved"]
    marked = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t'=1", "'\r'=1", "  '=1"]
    assert [line[0] for line in lines[1:]] == marked + HOSTILE[7:]
    assert all(line[1] == "1" for line in lines[1:])
    assert to_csv(["a"], [], bom=True) == "\ufeffa\r\n"


FORMULA = st.text(st.sampled_from("=+-@;,\t\r\n \"'aé\uff1d"), max_size=12)


@given(st.text() | FORMULA)
@example('nice;=HYPERLINK("http://evil")')
@example('nice;"=1')
@example("nice\n=1")
@example("\tx")
def test_no_cell_begins_as_a_formula_for_whatever_reader(text: str) -> None:
    """A reader of semicolons knows nothing of our quotes: for it a cell begins behind each `;`."""
    written = to_csv(["first", text], [[text, text]])
    pieces = [piece for line in re.split(r"[\r\n]", written) for piece in re.split(r"[;\t]", line)]
    cells = [cell for line in csv.reader(io.StringIO(written, newline="")) for cell in line]
    for begin in (*pieces, *cells):
        assert not re.match(r'[\s"]*[=+\-@\uff1d]', begin), begin
    assert not any(cell.startswith(("\t", "\r", "\n")) for cell in cells)


def test_a_line_of_figures() -> None:
    cells = dict(zip(COLUMNS, cells_of(Counts(4, 4, 4, 3, 1), KpiPolicy()), strict=True))
    assert (cells["solved"], cells["kpi"], cells["kpi_low"]) == (4, 0.75, 0.300642)
    assert cells_of(Counts(), KpiPolicy())[5:] == [""] * 9
