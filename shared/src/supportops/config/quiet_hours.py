"""Hours of the day, by the clock on the wall, in which nobody is disturbed. Pure."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from supportops.config.rules_file import Rules

DAY = timedelta(days=1)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")  # with seconds: as rules are kept, in JSON


def _quoted(value: object) -> object:
    """YAML reads 22:00 without quotes as a number: 1320."""
    if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value):
        return value
    if isinstance(value, time):
        return value
    raise ValueError('must be a time of day in quotes, such as "22:00"')


def _is_zone(name: str) -> str:
    if zone_named(name) is None:
        raise ValueError("must be the name of a time zone, such as Europe/Berlin or UTC")
    return name


TimeOfDay = Annotated[time, BeforeValidator(_quoted)]
ZoneName = Annotated[str, AfterValidator(_is_zone)]


class QuietHours(Rules):
    """From `starts` to `ends` it is quiet; over midnight where `ends` is the earlier one."""

    starts: TimeOfDay = Field(description="When quiet begins, such as 22:00.")
    ends: TimeOfDay = Field(description="When quiet is over, such as 08:00.")
    time_zone: ZoneName = Field("UTC", description="Whose clock it is, such as Europe/Berlin.")

    @model_validator(mode="after")
    def _leave_some_time(self) -> Self:
        if self.starts == self.ends:
            raise ValueError("starts and ends must differ")
        return self


def quiet_until(moment: datetime, hours: QuietHours, zone: ZoneInfo | None = None) -> datetime | None:
    """The end (UTC) of the quiet hours that `moment` lies in; None: it does not. `zone`: instead of the rule's own.

    What counts is the clock on the wall. Where it skips the end, quiet is over at the skip; where it shows the end
    twice, quiet is over at each, and what lies between them and before the end is quiet as well.
    """
    zone = zone or ZoneInfo(hours.time_zone)
    local = moment.astimezone(zone)
    wall = local.time()
    if not _within(wall, hours):
        return None
    day = local.date() if wall < hours.ends else local.date() + DAY
    end = datetime.combine(day, hours.ends, zone)
    first = end.astimezone(UTC)
    return first if first > moment else end.replace(fold=1).astimezone(UTC)


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of that name; None when there is none."""
    try:
        return ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ):  # what was sent may also be a path, or no name at all
        return None


def _within(wall: time, hours: QuietHours) -> bool:
    if hours.starts < hours.ends:
        return hours.starts <= wall < hours.ends
    return wall >= hours.starts or wall < hours.ends
