"""csat's two readers of Zendesk, native ratings and descriptions, on one database; and the hints that wake them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from csat import tables
from csat.destinations import NATIVE_RATING
from csat.kpi.ticket_snapshot import DescribeSolves, Names
from csat.policy.csat import CsatPolicy
from csat.ratings.native import ReadRatings
from csat.ratings.native_mapping import NativeRatingMapper
from csat.surveys.handlers import SurveyHandlers
from supportops.clock import SystemClock
from supportops.contracts import TicketEvent, TicketRated
from supportops.delivery import Courier
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.ticket_version import version_of
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, Zendesk
from tests.integration.csat.ledger import deliveries, rows_of
from tests.support.engine import running
from tests.support.eventually import eventually


class Readers:
    """Handlers, courier and both destinations."""

    def __init__(self, store: Store, zendesk: Zendesk, rules: CsatPolicy) -> None:
        clock, metrics = SystemClock(), Metrics()
        brief = Lifetime(found=timedelta(0), absent=timedelta(0))
        names = References(zendesk, clock=clock, metrics=metrics, lifetime=brief)
        describe = DescribeSolves(
            zendesk.tickets, Names(names.organizations, names.forms, names.groups, names.users), rules.numbers
        )
        reading = NativeRatingMapper(rules.native_ratings, rules.reasons, rules.comment_limit)
        self.store = store
        self.courier = Courier(store, [ReadRatings(zendesk, reading), describe], metrics)
        self._handlers = SurveyHandlers(rules.survey_after).handlers()

    async def hear(self, *events: TicketEvent) -> None:
        """Events arrive, as one batch."""
        async with self.store.transaction() as tx:
            await self._handlers.run(list(events), tx)

    async def settled(self, destination: str = NATIVE_RATING) -> dict[str, Any]:
        """Wait until nothing of the destination is waiting or in flight; its rows."""
        rows: dict[str, Any] = await eventually(partial(self._finished, destination), within=30)
        return rows

    async def _finished(self, destination: str) -> dict[str, Any]:
        rows = await deliveries(self.store, destination)
        assert all(row.state not in ("waiting", "leased") for row in rows.values())
        return rows or {"none": None}

    async def rating(self, ticket_id: str) -> Any:
        [row] = [row for row in await rows_of(self.store, tables.ratings) if row.ticket_id == ticket_id]
        return row

    async def facts(self, ticket_id: str) -> Any:
        [row] = [row for row in await rows_of(self.store, tables.facts) if row.ticket_id == ticket_id]
        return row


@asynccontextmanager
async def reading(store: Store, zendesk: Zendesk, rules: CsatPolicy | None = None) -> AsyncIterator[Readers]:
    readers = Readers(store, zendesk, rules or CsatPolicy())
    async with running(readers.courier):
        yield readers


def rated(ticket_id: str, name: str, *, score: str | None = None, at: datetime | None = None) -> TicketRated:
    """Zendesk says that something about the ticket's rating changed; `name` makes the event's id."""
    moment = at or datetime.now(UTC)
    return TicketRated(
        id=f"rated-{name}",
        source="/zendesk/22129848",
        time=moment,
        subject=ticket_id,
        account_id="22129848",
        ticket_id=ticket_id,
        version=version_of(moment, moment),
        score=score,
    )
