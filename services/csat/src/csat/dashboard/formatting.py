"""Figures and days as a manager reads them. Pure."""

from datetime import UTC, date, datetime, timedelta

from csat.kpi.filters import Step
from csat.kpi.measures import Figure

NOTHING = "\N{EN DASH}"
SMALL = 30
"""Below so many tickets a share says little: its interval spans a quarter and more."""


def percent(share: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 as people read it; a dash where there is none."""
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


def number(count: int) -> str:
    """A count with thin groups of three."""
    return f"{count:,}"


def interval(figure: Figure) -> str:
    """The 95 % interval; a dash while nothing is counted."""
    return NOTHING if figure.n == 0 else f"{figure.low * 100:.1f} \N{EN DASH} {figure.high * 100:.1f} %"


def verdict(figure: Figure) -> str:
    """How a figure stands to its target, in words: never by colour alone."""
    if figure.reached is None:
        return "no target" if figure.target is None else "no data yet"
    if figure.reached:
        return "target reached"
    return "below target" if figure.target is None or figure.high < figure.target else "just below target"


def day(moment: date) -> str:
    """A day, such as 7 Sep 2026."""
    return f"{moment.day} {moment:%b %Y}"


def period(first: date, step: Step) -> str:
    """The name of a week or month by its first day."""
    return day(first) if step == "week" else f"{first:%b %Y}"


def short_period(first: date, step: Step) -> str:
    """The same for an axis."""
    return f"{first.day} {first:%b}" if step == "week" else f"{first:%b %y}"


def days(since: date, until: date) -> str:
    """A range of days with both its ends: `until` is the day after."""
    last = until - timedelta(days=1)
    return day(since) if since == last else f"{day(since)} to {day(last)}"


def moment(at: datetime) -> str:
    """A moment in UTC, to the minute."""
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M} UTC"


def cut(text: str, length: int) -> tuple[str, bool]:
    """The beginning of a text, and whether something is missing."""
    if len(text) <= length:
        return text, False
    return text[:length].rstrip() + " …", True
