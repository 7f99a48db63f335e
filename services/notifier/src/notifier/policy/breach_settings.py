"""The smaller parts of the rules about breach notices: acknowledging, second roads, hours of one's own, the summary."""

import re
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from supportops.business_hours import DAY_MINUTES, BusinessHours
from supportops.config.durations import Duration
from supportops.config.rules_file import Rules
from supportops.time_zones import zone_of

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
Day = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
Channel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]{1,190}$")]
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


def minutes_of(text: str) -> int:
    """`HH:MM` as minutes since midnight, up to 24:00; ValueError names what is allowed."""
    found = _CLOCK.fullmatch(text)
    minutes = int(found[1]) * 60 + int(found[2]) if found else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise ValueError('must be a time of day, such as "09:00"')
    return minutes


def known_zone(name: str) -> ZoneInfo:
    """The time zone of that name; ValueError names what is allowed."""
    zone = zone_of(name)
    if zone is None:
        raise ValueError("must be a time zone, such as Europe/Berlin or UTC")
    return zone


class Acknowledging(Rules):
    """Taking a notice on: quiet for `lasts` at most; a reminder `remind_before` its end (null: none).

    `who`: the ids of the people who may (empty: everybody of the workspace). Guests of a shared channel never may.
    """

    lasts: Duration = timedelta(hours=1)
    remind_before: Duration | None = timedelta(minutes=10)
    who: tuple[UserId, ...] = ()

    @model_validator(mode="after")
    def _reminder_is_inside(self) -> Self:
        if self.lasts < timedelta(minutes=1):
            raise ValueError("lasts: a minute or more")
        if self.remind_before is not None and not timedelta() < self.remind_before < self.lasts:
            raise ValueError("remind_before: more than 0s and less than `lasts`, or null")
        return self


class SecondRoad(Rules):
    """Another way for a notice that Slack did not take in time.

    `by`: `channel` (another one, `channel`), `assignee` (a direct message to whom the ticket belongs), `webhook`
    (NOTIFIER_WEBHOOK_URL, signed), `email` (`to`, by SMTP_HOST).
    """

    by: Literal["channel", "assignee", "webhook", "email"]
    channel: Channel | None = None
    to: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if (self.channel is not None) != (self.by == "channel"):
            raise ValueError("channel: with `by: channel`, and only there")
        if bool(self.to) != (self.by == "email"):
            raise ValueError("to: with `by: email`, and only there")
        return self

    @property
    def name(self) -> str:
        """What the ledger says of it."""
        return self.by if self.channel is None else f"channel {self.channel}"


class HoursOverride(Rules):
    """Business hours of one's own, where the account has no schedule or another one is meant.

    `week`: per day a list of `HH:MM-HH:MM`.
    """

    time_zone: str
    week: dict[Day, tuple[str, ...]] = Field(min_length=1)
    holidays: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _can_be_counted(self) -> Self:
        self.hours()
        return self

    def hours(self) -> BusinessHours:
        """As they are counted; ValueError when they cannot be."""
        intervals = [_interval(DAYS.index(day), text) for day, texts in self.week.items() for text in texts]
        return BusinessHours(known_zone(self.time_zone), tuple(intervals), frozenset(self.holidays))


class Summary(Rules):
    """The weekly account of notices: to `channel`, on `day` at `at` by the clock of `time_zone`."""

    channel: Channel
    day: Day = "monday"
    at: str = "09:00"
    time_zone: str = "UTC"

    @field_validator("at")
    @classmethod
    def _at_is_a_time(cls, value: str) -> str:
        if minutes_of(value) == DAY_MINUTES:
            raise ValueError('must be a time of day, such as "09:00"')
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        known_zone(value)
        return value


def _interval(day: int, text: str) -> tuple[int, int]:
    opens, dash, closes = text.partition("-")
    start, end = minutes_of(opens.strip()), minutes_of(closes.strip() if dash else "")
    if start >= end:
        raise ValueError(
            f"week: {text!r} must be such as 09:00-17:00; over midnight: 22:00-24:00 and, of the next day, 00:00-06:00"
        )
    return day * DAY_MINUTES + start, day * DAY_MINUTES + end
