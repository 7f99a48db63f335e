"""The account's own business hours and holidays (docs/vendors/zendesk.md#sla)."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from supportops.business_hours import WEEK_MINUTES, BusinessHours
from supportops.errors import Forbidden, NotFound, Permanent
from supportops.time_zones import zone_of
from supportops.vendors.zendesk.calls import Calls, listed, readable
from supportops.vendors.zendesk.models import Answered, Named, Objects

LONGEST_HOLIDAY = timedelta(days=366)


class Interval(Answered):
    """Minutes since Sunday 00:00 of the schedule's time zone, the end not included."""

    start_time: int
    end_time: int

    @property
    def is_sound(self) -> bool:
        return 0 <= self.start_time < self.end_time <= WEEK_MINUTES


class Schedule(Named):
    """A weekly schedule; holidays are asked for by themselves."""

    time_zone: str = ""
    intervals: Objects = ()

    @property
    def minutes(self) -> tuple[tuple[int, int], ...]:
        """Its weekly intervals; what is no interval is left out."""
        read = readable(Interval, self.intervals)
        return tuple((each.start_time, each.end_time) for each in read if each.is_sound)


class Holiday(Answered):
    """Days on which nobody works, the last one included."""

    start_date: date
    end_date: date

    def days(self) -> list[date]:
        """Each of its days."""
        length = min(self.end_date - self.start_date, LONGEST_HOLIDAY)
        return [self.start_date + timedelta(days=each) for each in range(length.days + 1)]


class Schedules:
    """The calls about business hours."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def all(self) -> list[Schedule]:
        """The account's schedules, the oldest first; none on plans without them."""
        try:
            answer = await self._calls.get("schedules", "/business_hours/schedules")
        except (NotFound, Forbidden):
            return []
        return readable(Schedule, listed(answer, "schedules"))

    async def hours(self, schedule: Schedule) -> BusinessHours:
        """A schedule with its holidays, without any where the account shows none.

        Permanent when its time zone has a name that nobody knows.
        """
        days: set[date] = set()
        for holiday in await self._holidays(schedule):
            days.update(holiday.days())
        return BusinessHours(_zone(schedule), schedule.minutes, frozenset(days))

    async def _holidays(self, schedule: Schedule) -> list[Holiday]:
        path = f"/business_hours/schedules/{schedule.id}/holidays"
        try:
            answer = await self._calls.get("holidays", path)
        except (NotFound, Forbidden):  # hours without holidays are nearer to the truth than none
            return []
        return readable(Holiday, listed(answer, "holidays"))


def _zone(schedule: Schedule) -> ZoneInfo:
    zone = zone_of(schedule.time_zone)
    if zone is None:
        raise Permanent(
            f"zendesk: the schedule {schedule.name!r} is in {schedule.time_zone!r}, a time zone that is not known "
            "here: name the schedule's hours in the rules instead"
        )
    return zone
