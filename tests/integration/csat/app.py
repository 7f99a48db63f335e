"""csat without its broker: handlers, courier and destinations on one database; and its two readers of Zendesk."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from csat import tables
from csat.destinations import NATIVE_RATING, SURVEY, SURVEY_TAG
from csat.kpi.ticket_snapshot import DescribeSolves, Names
from csat.policy.csat import CsatPolicy
from csat.ratings.native import ReadRatings
from csat.ratings.native_mapping import NativeRatingMapper
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from csat.surveys.handlers import SurveyHandlers
from csat.surveys.send import AskRequester
from csat.surveys.tag import tag_surveyed
from supportops.clock import SystemClock
from supportops.contracts import TicketEvent
from supportops.delivery import Courier, Delivery
from supportops.delivery.claims import claim
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.cache import Lifetime
from supportops.vendors.zendesk import References, Zendesk
from tests.integration.csat.assertions import deliveries, rows_of
from tests.support.engine import hasty, running
from tests.support.eventually import eventually

NOW = CsatPolicy(survey_after=timedelta(0), ticket_updates_per_minute=None)
NATIVE = NOW.model_copy(update={"ask_by": "native"})
BASE = "https://survey.example.com"


class Died(Exception):
    """The worker was killed here."""


class Dying:
    """A Zendesk before whose writes the worker dies."""

    def __init__(self, zendesk: Any) -> None:
        self._zendesk = zendesk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zendesk, name)

    async def update_ticket(self, *_: Any, **__: Any) -> Any:
        raise Died

    async def add_tags(self, *_: Any, **__: Any) -> Any:
        raise Died


class Csat:
    """csat without its broker: handlers, courier and destinations on one database."""

    def __init__(self, store: Store, zendesk: Any, rules: CsatPolicy = NOW) -> None:
        clock, metrics = SystemClock(), Metrics()
        self.store = store
        self.tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
        names = References(zendesk, clock=clock, metrics=metrics)
        self.text = text = SurveyText(BASE, self.tokens)
        self.ask = AskRequester(store, zendesk, names.organizations, text, rules)
        self._dying = AskRequester(store, Dying(zendesk), names.organizations, text, rules)
        self.courier = Courier(store, [hasty(tag_surveyed(zendesk, rules)), hasty(self.ask)], metrics)
        self._clock = SurveyHandlers(rules.survey_after)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The courier runs for the length of the block; what was heard before is due at once."""
        async with running(self.courier):
            yield

    async def hear(self, *events: TicketEvent, in_doubt: bool = False) -> None:
        """Events arrive, as one batch; `in_doubt`: the database was put back, and they are read again."""
        async with self.store.transaction() as tx:
            tx.deliveries.uncertain = in_doubt
            await self._clock.table().run(list(events), tx)

    async def settled(self, *destinations: str) -> dict[str, Any]:
        """Wait until nothing is waiting or in flight; the rows of the last destination."""
        rows: dict[str, Any] = {}
        for destination in destinations or (SURVEY, SURVEY_TAG):
            rows = await eventually(partial(self._finished, destination), within=20, about=destination)
        return rows

    async def _finished(self, destination: str) -> dict[str, Any]:
        rows = await deliveries(self.store, destination)
        unfinished = [row.key for row in rows.values() if row.state in ("waiting", "leased")]
        assert not unfinished
        return rows or {"none": None}

    async def post_and_die(self) -> None:
        """A worker that is killed after its call, before it can write down what came of it."""
        claimed = await self._claimed()
        assert len(await self.ask.deliver(claimed)) == 1
        await self._lose_lease()

    async def intend_and_die(self) -> None:
        """A worker that is killed just before its call: the survey is written down, and was not asked."""
        claimed = await self._claimed()
        with pytest.raises(Died):
            await self._dying.deliver(claimed)
        await self._lose_lease()

    async def _claimed(self) -> Sequence[Delivery]:
        return (await claim(self.store, self.ask.spec, 1)).deliveries

    async def _lose_lease(self) -> None:
        async with self.store.transaction() as tx:  # its lease has run out since
            await tx.execute(
                tables.engine.deliveries.update().values(lease_until=tx.now, next_attempt_at=tx.now)
            )
            await tx.execute(tables.engine.lanes.update().values(free_at=None, claimable_at=tx.now))

    async def decision_about(self, ticket_id: str) -> Any:
        """The one decision about a ticket."""
        [found] = [row for row in await rows_of(self.store, tables.decisions) if row.ticket_id == ticket_id]
        return found

    async def decisions(self) -> list[tuple[bool, str]]:
        return [(row.send, row.rule) for row in await rows_of(self.store, tables.decisions)]


@asynccontextmanager
async def working(store: Store, zendesk: Any, rules: CsatPolicy = NOW) -> AsyncIterator[Csat]:
    csat = Csat(store, zendesk, rules)
    async with csat.at_work():
        yield csat


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
        self.courier = Courier(store, [hasty(ReadRatings(zendesk, reading)), hasty(describe)], metrics)
        self._handlers = SurveyHandlers(rules.survey_after).table()

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
        [row] = [row for row in await rows_of(self.store, tables.ticket_facts) if row.ticket_id == ticket_id]
        return row


@asynccontextmanager
async def reading(store: Store, zendesk: Zendesk, rules: CsatPolicy | None = None) -> AsyncIterator[Readers]:
    readers = Readers(store, zendesk, rules or CsatPolicy())
    async with running(readers.courier):
        yield readers
