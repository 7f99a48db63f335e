"""Addresses of views: this one with a filter more or less, by week or month, as CSV. Pure."""

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from csat.kpi.filters import DIMENSIONS, Dimension, Step, View

PAGE = "/dashboard"
SHEET = "/dashboard.csv"


def page(view: View, step: Step) -> str:
    """The address of the page about `view`."""
    return f"{PAGE}?{view.to_query()}&{urlencode({'step': step})}"


def sheet(view: View, step: Step, table: str) -> str:
    """The address of one of the view's tables as CSV."""
    return f"{SHEET}?{view.to_query()}&{urlencode({'step': step, 'table': table})}"


def ticket(ticket_id: str) -> str:
    """The address of a ticket's story."""
    return f"/tickets/{quote(ticket_id, safe='')}"


def narrowed(view: View, dimension: Dimension, value: str | None) -> View:
    """The view with `dimension` narrowed down to `value`; None: not any more."""
    chosen = {**dict(view.filters), dimension: value}
    filters = ((name, chosen.get(name)) for name in DIMENSIONS)
    return replace(view, filters=tuple((name, kept) for name, kept in filters if kept is not None))


def ranges(view: View, today: date, step: Step) -> list[tuple[str, str, bool]]:
    """Ranges that end today and are asked for often: name, address, and whether it is the one of `view`."""
    monday, until = today - timedelta(days=today.weekday()), today + timedelta(days=1)
    begins = {
        "30 days": today - timedelta(days=29),
        "13 weeks": monday - timedelta(weeks=12),
        "12 months": _year_before(today),
        "This year": today.replace(month=1, day=1),
    }
    views = {name: replace(view, since=since, until=until) for name, since in begins.items()}
    return [(name, page(each, step), each == view) for name, each in views.items()]


def _year_before(today: date) -> date:
    """The first of the month eleven months ago: twelve months with this one."""
    months = today.year * 12 + today.month - 12
    return date(months // 12, months % 12 + 1, 1)
