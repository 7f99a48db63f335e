"""What part of the numbers a URL asks for, and how a row of facts counts."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csat.kpi.buckets import Counted, counted_as, next_period, period_of
from csat.kpi.filters import DIMENSIONS, LONGEST_VALUE, NONE, BadView, View, start_of, today_in
from csat.kpi.measures import Counts
from tests.support.for_each import for_each

TODAY = date(2026, 11, 4)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=LONGEST_VALUE).filter(
    lambda text: text != NONE
)
VIEWS = st.builds(
    lambda since, days, filters: View(
        since,
        min(since + timedelta(days=days), date(2100, 1, 1)),
        tuple((name, filters[name]) for name in DIMENSIONS if name in filters),
    ),
    DAYS,
    st.integers(1, 3660),
    st.dictionaries(st.sampled_from(DIMENSIONS), VALUES),
)


@given(VIEWS)
def test_a_view_is_its_url_and_back(view: View) -> None:
    params = dict(parse_qsl(view.to_query(), keep_blank_values=True, strict_parsing=True))
    assert View.parse(params, today=TODAY) == view


def test_without_parameters_it_is_this_week_and_the_twelve_before() -> None:
    view = View.parse({"form": "", "since": ""}, today=TODAY)
    assert (view.since, view.until, view.filters) == (date(2026, 8, 10), date(2026, 11, 5), ())
    assert view.since.weekday() == 0


def test_none_is_written_as_such() -> None:
    view = View.parse({"plan": NONE}, today=TODAY)
    assert view.filters == (("plan", ""),)
    assert "plan=%28none%29" in view.to_query()
    assert (view.chosen("plan"), view.chosen("form")) == ("", None)


@for_each(
    "params, words",
    [
        ({"since": "2026-13-01"}, "since: must be a day such as 2026-01-31"),
        ({"until": "soon"}, "until: must be a day"),
        ({"since": "2026-11-05"}, r"since: must be before until \(2026-11-05"),
        ({"since": "1999-12-31"}, "since: must be between 2000-01-01 and 2100-01-01"),
        ({"since": "2010-01-01"}, "since: a view has at most 3660 days"),
        ({"paln": "x"}, "paln: is not known; there are since, until, form, plan, region"),
        ({"plan": "x" * 101}, "plan: has at most 100 characters"),
        ({"plan": "a\x00"}, "plan: must not hold control characters"),
        ({"plan": "\ud800"}, "plan: must not hold control characters"),
    ],
)
def test_what_no_view_is(params: dict[str, str], words: str) -> None:
    with pytest.raises(BadView, match=words):
        View.parse(params, today=TODAY)


def test_parameters_of_others_are_let_through() -> None:
    assert View.parse({"step": "week"}, today=TODAY, beside=("step",)) == View.parse({}, today=TODAY)


@given(DAYS)
def test_periods_follow_each_other_and_lie_in_one_week_and_one_month(day: date) -> None:
    first, following = period_of(day), next_period(day)
    assert first <= day < following
    assert period_of(following) == following
    last = following - timedelta(days=1)
    assert (first.year, first.month) == (last.year, last.month)
    assert first.isocalendar()[:2] == last.isocalendar()[:2]
    assert next_period(first) == following


def facts(**known: Any) -> dict[str, Any]:
    """A row of facts of which only this is known."""
    names = dict.fromkeys(("form", "plan", "region", "group_name", "assignee", "reason"), "")
    rest = {"solved_at": None, "decided": False, "asked_at": None, "score": None, "rated_at": None}
    return {**names, **rest, "has_comment": False, **known}


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def counted(**known: Any) -> Counted:
    found = counted_as(facts(**known), UTC)
    assert found is not None
    return found


@for_each(
    "known, counts",
    [
        ({}, Counts(1)),
        ({"decided": True}, Counts(1, 1)),
        ({"decided": True, "asked_at": at(9)}, Counts(1, 1, 1)),
        ({"asked_at": at(9)}, Counts(1, 1, 1)),
        ({"score": "good", "rated_at": at(9)}, Counts(1, 1, 1, 1, 0)),  # in Zendesk, not asked by us
        ({"score": "bad", "rated_at": at(9)}, Counts(1, 1, 1, 0, 1)),
    ],
)
def test_each_number_contains_the_next(known: dict[str, Any], counts: Counts) -> None:
    assert counted(solved_at=at(8), **known).counts == counts


def test_a_ticket_that_is_open_again_does_not_count() -> None:
    assert counted_as(facts(decided=True), UTC) is None
    assert counted_as(facts(asked_at=at(8)), UTC) is None


def test_a_rating_without_a_solve_counts_on_its_own_day() -> None:
    found = counted(score="good", rated_at=at(9), has_comment=True)
    assert (found.day, found.counts, found.has_comment) == (date(2026, 3, 1), Counts(1, 1, 1, 1, 0), True)


def test_the_day_is_that_of_the_report() -> None:
    late = facts(solved_at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    days = [found.day for zone in (UTC, BERLIN) if (found := counted_as(late, zone))]
    assert days == [date(2026, 2, 28), date(2026, 3, 1)]
    assert start_of(date(2026, 3, 1), BERLIN) == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert today_in(BERLIN, datetime(2026, 2, 28, 23, tzinfo=UTC)) == date(2026, 3, 1)


@given(st.text())
def test_names_become_fit_for_urls_and_keys(name: str) -> None:
    (form, *_) = counted(solved_at=at(8), form=name).values
    view = View(TODAY, TODAY + timedelta(days=1), (("form", form),))
    params = dict(parse_qsl(view.to_query()))
    assert View.parse(params, today=TODAY) == view
