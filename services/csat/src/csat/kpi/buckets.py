"""As what a ticket is counted, and in which period. Pure: facts in, a row of `counted` out."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from csat.kpi.filters import DIMENSIONS, LONGEST_VALUE, NONE, Dimension, today_in
from csat.kpi.measures import Counts

COLUMNS: Mapping[Dimension, str] = {name: name for name in DIMENSIONS} | {"group": "group_name"}
"""The column of each dimension in `facts`, `counted` and `cells`; GROUP is a word of SQL."""

COUNTERS = ("solved", "decided", "asked", "good", "bad")


@dataclass(frozen=True)
class Counted:
    """A ticket as it is counted: `values` in the order of DIMENSIONS; `rated_at` is None while nobody has answered."""

    day: date
    values: tuple[str, ...]
    rated_at: datetime | None
    has_comment: bool
    counts: Counts

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Counted":
        """A row of `counted`."""
        values = tuple(row[COLUMNS[name]] for name in DIMENSIONS)
        counts = Counts(*(row[name] for name in COUNTERS))
        return cls(row["day"], values, row["rated_at"], row["has_comment"], counts)

    def row(self, ticket_id: str) -> dict[str, Any]:
        """The same as a row."""
        names = {COLUMNS[name]: value for name, value in zip(DIMENSIONS, self.values, strict=True)}
        counts = {name: getattr(self.counts, name) for name in COUNTERS}
        more = {"rated_at": self.rated_at, "has_comment": self.has_comment}
        days = {"day": self.day, "period": period_of(self.day)}
        return {"ticket_id": ticket_id, **days, **names, **more, **counts}

    def tally_keys(self) -> Iterator[tuple[Any, ...]]:
        """Where it is counted in `tally`: in all, by each dimension, and by each with each (also with itself)."""
        period = period_of(self.day)
        named = list(zip(DIMENSIONS, self.values, strict=True))
        yield "", "", "", period, ""
        for b, value_b in named:
            yield "", "", b, period, value_b
            for a, value_a in named:
                yield a, value_a, b, period, value_b

    def cell_key(self) -> tuple[Any, ...]:
        """Where it is counted in `cells`."""
        return period_of(self.day), *self.values


def counted_as(facts: Mapping[str, Any], zone: tzinfo) -> Counted | None:
    """What a row of `facts` counts as; None: nothing.

    The day is that of the solve that counts. A ticket that was rated in Zendesk although no solve of it counts (we
    never saw one, or it is open again) belongs to the day of the rating, so that no rating is lost. Whoever answered
    was asked, and about whoever was asked it was decided.
    """
    score = facts["score"]
    moment = facts["solved_at"] or (facts["rated_at"] if score else None)
    if moment is None:
        return None
    asked = facts["asked_at"] is not None or score is not None
    counts = Counts(1, int(facts["decided"] or asked), int(asked), int(score == "good"), int(score == "bad"))
    values = tuple(_tidy(facts[COLUMNS[name]]) for name in DIMENSIONS)
    rated_at = facts["rated_at"] if score else None
    return Counted(today_in(zone, moment), values, rated_at, bool(score and facts["has_comment"]), counts)


def period_of(day: date) -> date:
    """The first day of the period that `day` lies in: a week from Monday on, cut where a month begins.

    So every period lies in one week and in one month, and both add up from periods.
    """
    return max(day - timedelta(days=day.weekday()), day.replace(day=1))


def next_period(day: date) -> date:
    """The first day of the period after the one that `day` lies in."""
    monday = day + timedelta(days=7 - day.weekday())
    first = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return min(monday, first)


def _tidy(value: str) -> str:
    """A name that fits into an index, a URL and a line, whoever made it up; what people read as none is none."""
    if not value.isprintable():
        value = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in value)
    value = value.strip()[:LONGEST_VALUE].rstrip()
    return "" if value == NONE else value
