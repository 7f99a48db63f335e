"""What part of the numbers somebody looks at: a range of days and filters. Pure; a view is its URL, and back."""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal, Self, get_args
from urllib.parse import urlencode

Dimension = Literal["form", "plan", "region", "group", "assignee", "reason"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

Step = Literal["week", "month"]
STEPS: tuple[Step, ...] = get_args(Step)

NONE = "(none)"
"""How "no value" is written in URLs and shown to people; within our own code and tables it is the empty text."""

WEEKS = 13  # of the view that nobody narrowed down: this week and the twelve before it, a quarter
LONGEST = timedelta(days=3660)
FIRST, LAST = date(2000, 1, 1), date(2100, 1, 1)
LONGEST_VALUE = 100  # six of them are one key of an index
RANGE = ("since", "until")


class BadView(ValueError):
    """A parameter says nothing that we can show; `parameter` is its name, the message a sentence about it."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


@dataclass(frozen=True)
class View:
    """Tickets that were solved from the day `since` to the day before `until`, in the report's time zone.

    `filters`: one value at most for each dimension, in the order of DIMENSIONS; "" stands for tickets that have none.
    """

    since: date
    until: date
    filters: tuple[tuple[Dimension, str], ...] = ()

    @classmethod
    def parse(cls, params: Mapping[str, str], *, today: date, beside: Collection[str] = ()) -> Self:
        """The view that the parameters of a URL ask for; empty ones count as not given.

        Without `until` it ends with today, without `since` it is the 13 weeks up to its end. `beside` names parameters
        that mean something to others. Raises BadView, also for a parameter that nobody knows: a misspelt filter would
        otherwise show numbers of everything.
        """
        for name in params:
            if name not in (*RANGE, *DIMENSIONS, *beside):
                raise BadView(
                    name, f"is not known; there are {', '.join((*RANGE, *DIMENSIONS, *sorted(beside)))}"
                )
        until = _day("until", params.get("until", "")) or today + timedelta(days=1)
        since = _day("since", params.get("since", "")) or _quarter_before(until)
        if since >= until:
            raise BadView("since", f"must be before until ({until}, which is not part of the view)")
        if until - since > LONGEST:
            raise BadView("since", f"a view has at most {LONGEST.days} days")
        given = ((name, _value(name, params.get(name, ""))) for name in DIMENSIONS)
        return cls(since, until, tuple((name, value) for name, value in given if value is not None))

    def to_query(self) -> str:
        """The view as the query of a URL; `parse` makes the same view of it."""
        chosen = [(name, value or NONE) for name, value in self.filters]
        return urlencode([("since", self.since.isoformat()), ("until", self.until.isoformat()), *chosen])

    def chosen(self, dimension: Dimension) -> str | None:
        """The value that `dimension` is narrowed down to; None: all of them."""
        return dict(self.filters).get(dimension)


def today_in(zone: tzinfo, now: datetime) -> date:
    """The day that it is in the report's time zone."""
    return now.astimezone(zone).date()


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day of the report, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def label(value: str) -> str:
    """A value as people read it."""
    return value or NONE


def _quarter_before(until: date) -> date:
    """The Monday of the week of the view's last day, and twelve weeks back."""
    last = until - timedelta(days=1)
    return max(last - timedelta(days=last.weekday(), weeks=WEEKS - 1), FIRST)


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadView(name, "must be a day such as 2026-01-31") from None
    if not FIRST <= day <= LAST:
        raise BadView(name, f"must be between {FIRST} and {LAST}")
    return day


def _value(name: str, text: str) -> str | None:
    """The value to filter by; None where the parameter asks for none."""
    if not text:
        return None
    if len(text) > LONGEST_VALUE:
        raise BadView(name, f"has at most {LONGEST_VALUE} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise BadView(name, "must not hold control characters")
    return "" if text == NONE else text
