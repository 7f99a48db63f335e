"""The incremental export of tickets, page by page (docs/vendors/zendesk.md#exports)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiolimiter import AsyncLimiter

from supportops.errors import Retryable
from supportops.vendors.zendesk.calls import Answer, Calls, listed, objects, readable
from supportops.vendors.zendesk.models import MetricSet, Ticket

PER_MINUTE = 5.0
"""Zendesk takes ten calls a minute for the whole account; whoever else exports gets the other half."""
MOST = 1_000
"""Tickets on a page."""


@dataclass(frozen=True)
class ExportPage:
    """Tickets as they are now, with their metrics where Zendesk sent them along; a ticket may be on several pages.

    `reached`: up to when (time of change) the export has come; None on an empty page. `last`: there are no more.
    """

    tickets: tuple[Ticket, ...]
    cursor: str
    last: bool
    reached: datetime | None


class Exports:
    """The export calls, paced on their own beside the account's share."""

    def __init__(self, calls: Calls, *, per_minute: float = PER_MINUTE) -> None:
        self._calls = calls
        self._pace = AsyncLimiter(1, 60 / per_minute)

    async def tickets(self, since: datetime, cursor: str | None = None, *, size: int = MOST) -> ExportPage:
        """The page after `cursor`, or the first of what changed at or after `since` (at least a minute ago)."""
        start = {"cursor": cursor} if cursor else {"start_time": str(int(since.timestamp()))}
        query = start | {"per_page": str(size), "include": "metric_sets"}
        await self._pace.acquire()
        answer = await self._calls.get("export", "/incremental/tickets/cursor", query)
        after, last = answer.get("after_cursor"), answer.get("end_of_stream") is True
        listed(answer, "tickets")  # such an answer says nothing, not that nothing changed
        if not isinstance(after, str) or not after:
            raise Retryable("zendesk export: an answer without a cursor")
        if after == cursor and not last:
            raise Retryable("zendesk export: a page that names itself as the next one")
        rows, metrics = objects(answer, "tickets"), _metrics(answer)
        tickets = tuple(_with_metrics(each, metrics) for each in readable(Ticket, rows))
        return ExportPage(tickets, after, last, _reached(rows))


def _with_metrics(ticket: Ticket, metrics: Mapping[str, MetricSet]) -> Ticket:
    found = metrics.get(ticket.id)
    return ticket if found is None else ticket.model_copy(update={"metrics": found})


def _metrics(answer: Answer) -> dict[str, MetricSet]:
    sets = readable(MetricSet, objects(answer, "metric_sets"))
    return {each.ticket_id: each for each in sets if each.ticket_id is not None}


LAST_SECOND = 253_402_300_799  # of the year 9999: later ones no datetime can hold


def _reached(rows: list[dict[str, Any]]) -> datetime | None:
    given = (row.get("generated_timestamp") for row in rows)
    stamps = [stamp for stamp in given if isinstance(stamp, int) and 0 <= stamp <= LAST_SECOND]
    return datetime.fromtimestamp(max(stamps), UTC) if stamps else None
