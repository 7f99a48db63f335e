"""Business hours: how much of a stretch of time was worked, and the moment a worked length away from another.

Pure. Weekly intervals and holidays are on the wall clock of one time zone; moments are aware. A day has the intervals
that its wall clock shows, so a day on which clocks change is an hour shorter or longer. A time that the clock skips is
the moment at which it skips; one that it shows twice is the first.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
LONGEST = 800  # days that are looked through: more than two years without an hour of work is no schedule
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class NoBusinessHours(ValueError):
    """The schedule has (almost) no hours: nothing can be counted in them."""


@dataclass(frozen=True)
class BusinessHours:
    """A weekly schedule. `intervals`: minutes since Sunday 00:00, `[start, end)`, as Zendesk writes them.

    `holidays`: days of that wall clock on which nobody works.
    """

    zone: tzinfo
    intervals: tuple[tuple[int, int], ...]
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        for start, end in self.intervals:
            if not 0 <= start < end <= WEEK_MINUTES:
                raise ValueError(f"an interval of minutes since Sunday, such as 540-1020, not {start}-{end}")

    def before(self, moment: datetime, length: timedelta) -> datetime:
        """The latest moment from which `length` of business time is left until `moment`."""
        left = length
        for opens, closes in self._windows_back(moment):
            worked = closes - opens
            if worked >= left:
                return closes - left
            left -= worked
        raise NoBusinessHours("the schedule has too few hours to count them")

    def after(self, moment: datetime, length: timedelta) -> datetime:
        """The earliest moment at which `length` of business time has passed since `moment`."""
        left = length
        for opens, closes in self._windows_on(moment):
            worked = closes - opens
            if worked >= left:
                return opens + left
            left -= worked
        raise NoBusinessHours("the schedule has too few hours to count them")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The business time from `start` to `end`; zero when `end` is not later."""
        passed = timedelta()
        for opens, closes in self._windows_on(start):
            if opens >= end:
                return passed
            passed += min(closes, end) - opens
        return passed

    def _windows_back(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = moment.astimezone(self.zone).date()
        for _ in range(LONGEST):
            for opens, closes in reversed(self._windows_of(day)):
                if opens < moment:
                    yield opens, min(closes, moment)
            day -= _DAY

    def _windows_on(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = moment.astimezone(self.zone).date()
        for _ in range(LONGEST):
            for opens, closes in self._windows_of(day):
                if closes > moment:
                    yield max(opens, moment), closes
            day += _DAY

    def _windows_of(self, day: date) -> list[tuple[datetime, datetime]]:
        """What is worked on a day, as moments in UTC, in their order."""
        if day in self.holidays:
            return []
        first = (day.isoweekday() % 7) * DAY_MINUTES
        minutes = sorted(
            (max(start, first) - first, min(end, first + DAY_MINUTES) - first)
            for start, end in self.intervals
            if start < first + DAY_MINUTES and end > first
        )
        found = [(self._at(day, start), self._at(day, end)) for start, end in _joined(minutes)]
        return [(opens, closes) for opens, closes in found if opens < closes]

    def _at(self, day: date, minutes: int) -> datetime:
        if minutes == DAY_MINUTES:
            day, minutes = day + _DAY, 0
        wall = datetime.combine(day, time(minutes // 60, minutes % 60), self.zone)
        moment = wall.astimezone(UTC)
        shown = moment.astimezone(self.zone)
        return moment if shown.replace(tzinfo=None) == wall.replace(tzinfo=None) else self._skip(wall)

    def _skip(self, wall: datetime) -> datetime:
        """The moment at which the clock skips `wall`, which it never shows."""
        before, after = (wall.replace(fold=fold).astimezone(UTC) for fold in (1, 0))
        seconds = range((after - before) // _SECOND + 1)
        offset = before.astimezone(self.zone).utcoffset()
        changed = bisect_left(
            seconds, True, key=lambda s: (before + s * _SECOND).astimezone(self.zone).utcoffset() != offset
        )
        return before + changed * _SECOND


def _joined(minutes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals of one day without overlaps: nobody works an hour twice."""
    joined: list[tuple[int, int]] = []
    for start, end in minutes:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
