"""csat looks through Zendesk's export for what no webhook told, and takes each of it once."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from csat import tables
from csat.destinations import NATIVE_RATING, SURVEY
from csat.ratings.catch_up import NAME, CatchUp, Place
from csat.surveys.handlers import SurveyHandlers
from csat.surveys.survey_clock import same_solve
from supportops.clock import ManualClock
from supportops.contracts import TicketEvent
from supportops.errors import Permanent, Retryable
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import ExportPage, Ticket, Zendesk
from tests.integration.csat.assertions import deliveries, on, rows_of
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class FakeExport:
    """Exports what was put there; `refused` are cursors that it takes no more, `asked` what it was asked for."""

    def __init__(self) -> None:
        self.pages: list[list[Ticket]] = []
        self.asked: list[tuple[datetime, str | None]] = []
        self.refused: set[str] = set()
        self.alone: dict[str, Ticket] = {}

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        self.asked.append((since, cursor))
        if cursor in self.refused:
            raise Permanent("422: the cursor is not valid")
        page = self.pages.pop(0) if self.pages else []
        reached = max((ticket.updated_at for ticket in page), default=None)
        return ExportPage(tuple(page), f"c{len(self.asked)}", not self.pages, reached)

    async def by_id(self, ids: Iterable[str]) -> dict[str, Ticket]:
        return {each: self.alone[each] for each in ids if each in self.alone}


class World:
    """csat's look on one database, driven by hand."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock, self.zendesk, self.metrics = store, clock, FakeExport(), Metrics()
        self.handlers = SurveyHandlers(DAY).table()
        self._look = CatchUp(store, self.zendesk, self.zendesk.by_id, self.handlers, self.metrics)

    async def look(self, *pages: list[Ticket]) -> None:
        self.clock.advance(5 * MINUTE)
        self.zendesk.pages = list(pages)
        await self._look.look()

    async def hear(self, *events: TicketEvent) -> None:
        async with self.store.transaction() as tx:
            await self.handlers.run(list(events), tx)

    async def due(self) -> dict[str, datetime]:
        rows = await deliveries(self.store, SURVEY)
        return {row.lane: row.due_at for row in rows.values() if row.state == "waiting"}

    def ticket(self, number: int, status: str = "solved", score: str = "unoffered", **more: Any) -> Ticket:
        """One that changed this very moment, and was solved then."""
        now = self.clock.now()
        shown = {"id": number, "status": status, "updated_at": now, "requester_id": 601}
        metrics = {"ticket_id": number, "solved_at": now}
        return Ticket.model_validate(
            shown | {"metrics": metrics, "satisfaction_rating": {"score": score}} | more
        )

    def found(self, kind: str) -> float:
        return self.metrics.value("events_caught_up", kind=kind)


@pytest.fixture
async def world(store: Store, clock: ManualClock) -> World:
    world = World(store, clock)
    await world.look()  # the first one: from now on
    assert world.zendesk.asked == []
    return world


@pytest.mark.both_databases
async def test_solves_and_reopenings_that_nobody_told(world: World) -> None:
    old = world.ticket(3, metrics={"ticket_id": 3, "solved_at": world.clock.now() - MINUTE})
    world.clock.advance(MINUTE)
    lost, told, back = world.ticket(1), world.ticket(2), world.ticket(4)
    await world.hear(solved("2", told.updated_at), solved("4", back.updated_at))
    world.clock.advance(MINUTE)
    open_again = world.ticket(4, "open")
    await world.look([lost, old], [told, open_again])
    assert await world.due() == {"1": lost.updated_at + DAY, "2": told.updated_at + DAY}
    assert (world.found("solved"), world.found("reopened"), world.found("rated")) == (1, 1, 0)
    rows = {row.lane: row.uncertain for row in (await deliveries(world.store, SURVEY)).values()}
    assert rows["1"], "in a database that was put back it may have been asked: it is looked for first"
    assert not rows["2"]
    before = await rows_of(world.store, tables.tickets)
    await world.hear(
        solved("1", lost.updated_at), reopened("4", open_again.updated_at - timedelta(seconds=30))
    )
    await world.look([lost, told, open_again])
    assert await world.due() == {"1": lost.updated_at + DAY, "2": told.updated_at + DAY}
    after = await rows_of(world.store, tables.tickets)
    assert {row.ticket_id: row.status for row in after} == {row.ticket_id: row.status for row in before}
    [first, second, third] = world.zendesk.asked
    assert (first[1], second[1], third[1]) == (None, "c1", "c2")


@on("sqlite")
async def test_ratings_that_nobody_told_are_read(world: World) -> None:
    await world.hear(solved("1", world.clock.now()))
    world.clock.advance(MINUTE)
    await world.look([world.ticket(1, score="bad"), world.ticket(2, "open", score="good")])
    [hint] = (await deliveries(world.store, NATIVE_RATING)).values()
    assert (hint.lane, world.found("rated")) == ("1", 1)


@on("sqlite")
async def test_a_solve_that_the_export_does_not_date_is_read(world: World) -> None:
    dated = world.ticket(1)
    world.zendesk.alone = {"1": dated}
    await world.look([dated.model_copy(update={"metrics": None}), world.ticket(2, metrics=None)])
    assert await world.due() == {"1": dated.updated_at + DAY}


@on("sqlite")
async def test_a_cursor_that_is_taken_no_more_and_a_zendesk_that_is_away(world: World) -> None:
    await world.look([world.ticket(1)])
    reached = world.clock.now() - 5 * MINUTE
    world.zendesk.refused = {"c1"}
    await world.look([world.ticket(2)])
    assert world.zendesk.asked[1:] == [(reached, "c1"), (reached, None)]
    assert set(await world.due()) == {"1", "2"}
    with pytest.raises(Retryable):
        await CatchUp(world.store, Away(), world.zendesk.by_id, world.handlers, world.metrics).look()
    await world.look([world.ticket(3)])
    assert (world.zendesk.asked[-1][1], set(await world.due())) == ("c3", {"1", "2", "3"})


class Away:
    """Nobody answers."""

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        raise Retryable("503")


@on("sqlite")
async def test_what_the_stand_in_exports_is_enough(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    await outside.post("/limits", zendesk={"export_lag": 0, "exports": None})
    ticket_id, at = await outside.solved_ticket()
    async with live_store.transaction() as tx:
        place = Place(tx.now - DAY, tx.now - DAY)
        (await tx.load(tables.progress, [NAME])).put(NAME, cursor=place.text(), updated_at=tx.now)
    handlers = SurveyHandlers(DAY).table()
    await CatchUp(live_store, zendesk.exports, zendesk.tickets, handlers, Metrics()).look()
    [survey] = (await deliveries(live_store, SURVEY)).values()
    assert (survey.lane, same_solve(survey.due_at - DAY, at)) == (ticket_id, True)


class Roundabout(FakeExport):
    """Its second page names the first as the next one."""

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        self.asked.append((since, cursor))
        assert len(self.asked) < 10, "it goes round for ever"
        return ExportPage((), "b" if cursor == "a" else "a", last=False, reached=None)


@on("sqlite")
async def test_pages_that_name_each_other_end(world: World) -> None:
    world.clock.advance(MINUTE)
    export = Roundabout()
    with pytest.raises(Retryable, match="names a page again"):
        await CatchUp(world.store, export, export.by_id, world.handlers, world.metrics).look()
    assert [cursor for _, cursor in export.asked] == [None, "a", "b"]
