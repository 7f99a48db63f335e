"""Business hours: tables of known answers, and properties on random schedules."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportops.business_hours import BusinessHours, NoBusinessHours
from tests.support.examples import examples
from tests.support.for_each import for_each

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_FIVE = tuple((day * 1440 + 540, day * 1440 + 1020) for day in range(1, 6))  # Monday to Friday
OFFICE = BusinessHours(BERLIN, NINE_TO_FIVE, frozenset({date(2026, 12, 25)}))
ALWAYS = BusinessHours(UTC, ((0, 10_080),))


def at(text: str) -> datetime:
    """A moment of Berlin's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@for_each(
    "moment, hours, expected",
    [
        ("2026-11-30T09:30", 2, "2026-11-27T15:30"),  # a breach on Monday 09:30 is warned of on Friday
        ("2026-11-30T12:00", 2, "2026-11-30T10:00"),
        ("2026-11-30T11:00", 2, "2026-11-30T09:00"),
        ("2026-11-29T12:00", 2, "2026-11-27T15:00"),  # due on a Sunday
        ("2026-12-28T09:30", 2, "2026-12-24T15:30"),  # Christmas and a week-end between
        ("2026-03-30T09:00", 8, "2026-03-27T09:00"),  # clocks changed between
        ("2026-11-30T12:00", 0, "2026-11-30T12:00"),
    ],
)
def test_so_much_before(moment: str, hours: int, expected: str) -> None:
    assert OFFICE.before(at(moment), hours * HOUR) == at(expected)


@for_each(
    "moment, hours, expected",
    [
        ("2026-11-27T16:00", 2, "2026-11-30T10:00"),
        ("2026-11-28T12:00", 2, "2026-11-30T11:00"),
        ("2026-11-27T16:00", 24, "2026-12-02T16:00"),
        ("2026-12-24T16:00", 2, "2026-12-28T10:00"),
    ],
)
def test_so_much_after(moment: str, hours: int, expected: str) -> None:
    assert OFFICE.after(at(moment), hours * HOUR) == at(expected)


def test_a_day_on_which_clocks_change_is_as_long_as_it_is() -> None:
    night = BusinessHours(BERLIN, ((0, 1440),))  # all of Sunday
    assert night.between(at("2026-03-29T00:00"), at("2026-03-30T00:00")) == 23 * HOUR
    assert night.between(at("2026-10-25T00:00"), at("2026-10-26T00:00")) == 25 * HOUR


SPRING, AUTUMN = "2026-03-29", "2026-10-25"


@for_each(
    "day, minutes, worked, ends",
    [
        (SPRING, (0, 150), 120, "03:00"),  # to 02:30, which the clock skips
        (SPRING, (150, 240), 60, "04:00"),  # from 02:30
        (SPRING, (150, 180), 0, None),
        (SPRING, (130, 150), 0, None),
        (SPRING, (120, 240), 60, "04:00"),
        (AUTUMN, (0, 150), 150, "02:30"),  # 02:30 comes twice: the first
        (AUTUMN, (150, 240), 150, "04:00"),
    ],
)
def test_a_time_that_the_clock_skips_is_the_moment_of_the_skip(
    day: str, minutes: tuple[int, int], worked: int, ends: str | None
) -> None:
    night = BusinessHours(BERLIN, (minutes,))
    begins, length = at(f"{day}T00:00"), timedelta(minutes=worked)
    assert night.between(begins, begins + 30 * HOUR) == length
    if ends is not None:
        assert night.after(begins, length) == at(f"{day}T{ends}").astimezone(UTC)
        assert night.before(begins + 30 * HOUR, length) == night.after(begins, timedelta())


def test_half_an_hour_is_skipped_where_clocks_change_by_that() -> None:
    island = ZoneInfo("Australia/Lord_Howe")
    begins = datetime(2026, 10, 4, tzinfo=island)
    assert BusinessHours(island, ((0, 135),)).between(begins, begins + 12 * HOUR) == 2 * HOUR


def test_overlapping_intervals_count_once() -> None:
    doubled = BusinessHours(UTC, ((540, 1020), (600, 1080), (0, 60)))
    sunday = datetime(2026, 11, 29, tzinfo=UTC)
    assert doubled.between(sunday, sunday + 24 * HOUR) == 10 * HOUR


@for_each("interval", [(540, 540), (600, 540), (-1, 5), (0, 10_081)])
def test_odd_intervals_are_refused(interval: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="minutes since Sunday"):
        BusinessHours(UTC, (interval,))


def test_a_schedule_without_hours_is_an_error_and_no_endless_search() -> None:
    empty = BusinessHours(UTC, ())
    now = datetime(2026, 11, 30, tzinfo=UTC)
    for count in (empty.before, empty.after):
        with pytest.raises(NoBusinessHours):
            count(now, HOUR)
    assert empty.between(now, now + 24 * HOUR) == timedelta()


WEEKS = st.lists(st.integers(0, 160), min_size=1, max_size=4).map(
    lambda hours: tuple((60 * hour, 60 * hour + 455) for hour in sorted(set(hours)))
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda m: m.replace(tzinfo=UTC))


@settings(max_examples=examples(60), deadline=None)
@given(WEEKS, MOMENTS, st.integers(1, 4_000))
def test_before_and_after_agree_with_what_lies_between(
    intervals: tuple[tuple[int, int], ...], moment: datetime, minutes: int
) -> None:
    hours, length = BusinessHours(BERLIN, intervals), timedelta(minutes=minutes)
    assert hours.between(hours.before(moment, length), moment) == length
    assert hours.between(moment, hours.after(moment, length)) == length
    assert ALWAYS.before(moment, length) == moment - length
