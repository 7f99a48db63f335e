"""The page's tables as CSV, for people who take them further."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from csat.kpi import queries, row_queries
from csat.kpi.csv_cells import COLUMNS, cells_of
from csat.kpi.filters import DIMENSIONS, BadView, Dimension, Step, View, label
from csat.kpi.measures import Counts
from csat.policy.kpi import KpiPolicy
from supportops.web.csv_text import to_csv

TABLES = ("totals", "trend", *DIMENSIONS, "comments")
COMMENTS = 5_000
"""The newest so many; the API gives all of them, page by page."""

COMMENT_COLUMNS = ("ticket", "rated_at", "score", "comment", *DIMENSIONS, "from_agents")


@dataclass(frozen=True)
class Sheet:
    """A file: its name says what of the numbers it holds."""

    name: str
    text: str


def known(table: str) -> str:
    """`table`, when there is one of this name. BadView."""
    if table not in TABLES:
        raise BadView("table", f"must be one of {', '.join(TABLES)}")
    return table


async def sheet(conn: AsyncConnection, view: View, step: Step, table: str, policy: KpiPolicy) -> Sheet:
    """One table of the view; `table` is one of TABLES."""
    name = f"csat-{table}-{view.since}-{view.until}.csv"
    if table == "comments":
        return Sheet(name, await _comments(conn, view))
    first, lines = await _counted(conn, view, step, table)
    rows = [[key, *cells_of(counts, policy)] for key, counts in lines]
    return Sheet(name, to_csv([first, *COLUMNS], rows, bom=True))


async def _counted(
    conn: AsyncConnection, view: View, step: Step, table: str
) -> tuple[str, Sequence[tuple[str, Counts]]]:
    """What the first column is called, and the lines."""
    if table == "trend":
        return step, [(f"{day}", counts) for day, counts in await queries.trend(conn, view, step)]
    dimension = _dimension(table)
    if dimension is None:
        return "tickets", [("all", await queries.totals(conn, view))]
    found = await queries.breakdown(conn, view, dimension)
    return dimension, [(label(value), counts) for value, counts in found.items()]


def _dimension(table: str) -> Dimension | None:
    return next((name for name in DIMENSIONS if name == table), None)


async def _comments(conn: AsyncConnection, view: View) -> str:
    found = await row_queries.comments(conn, view, COMMENTS)
    rows = [
        [
            rated.ticket_id,
            rated.rated_at.isoformat(timespec="seconds"),
            rated.score,
            rated.comment,
            *(getattr(rated, name) for name in DIMENSIONS),
            "yes" if rated.from_agents else "",
        ]
        for rated in found
    ]
    return to_csv(COMMENT_COLUMNS, rows, bom=True)
