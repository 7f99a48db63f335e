"""Events in, survey timers out, on both databases: the clock of docs/rules.md C3 whatever the order of arrival."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from csat import tables
from csat.destinations import SURVEY
from csat.surveys.handlers import SurveyHandlers
from supportops.contracts import TicketEvent
from supportops.store import Store
from tests.integration.csat.assertions import deliveries, payload_of, rows_of
from tests.integration.csat.events import reopened, solved

DAY = timedelta(hours=24)
TEN = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
FIRST = solved("17", TEN)
REOPENED = reopened("17", TEN + timedelta(hours=1))
AGAIN = solved("17", TEN + timedelta(hours=2))
EXPORTED = solved("17", TEN + timedelta(hours=2, seconds=4), seen=TEN + timedelta(hours=3), road="export")


async def take(store: Store, events: Iterable[TicketEvent]) -> None:
    """What the consumer does with a batch."""
    async with store.transaction() as tx:
        await SurveyHandlers(DAY).table().run(list(events), tx)


async def waiting(store: Store) -> list[datetime]:
    """When surveys are due that nobody has called off."""
    rows = await deliveries(store, SURVEY)
    return [row.due_at for row in rows.values() if row.state == "waiting"]


@pytest.mark.both_databases
async def test_a_survey_is_due_exactly_a_day_after_the_solve(store: Store) -> None:
    await take(store, [FIRST])
    [row] = (await deliveries(store, SURVEY)).values()
    assert (row.due_at, row.lane, row.state) == (TEN + DAY, "17", "waiting")
    told = {"ticket_id": "17", "solved_at": "2026-11-02T10:00:00+00:00", "cause": FIRST.id}
    assert payload_of(row) == told | {"correlation_id": FIRST.correlation_id or FIRST.id}


@pytest.mark.parametrize("batches", ["one batch", "one by one"])
async def test_solve_reopen_solve_in_every_order_with_doubles(store: Store, batches: str) -> None:
    """A ticket for each order, side by side: of each the events arrive in one batch, or in as many as there are."""
    arrivals = []
    for number, order in enumerate(permutations([FIRST, REOPENED, AGAIN, EXPORTED])):
        ticket = {"ticket_id": str(1000 + number)}
        arrivals.append([each.model_copy(update=ticket) for each in (*order, *order[:2])])
    together = [[event for history in arrivals for event in history]]
    for batch in together if batches == "one batch" else zip(*arrivals, strict=True):
        await take(store, batch)
    rows = (await deliveries(store, SURVEY)).values()
    due = {row.lane: row.due_at for row in rows if row.state == "waiting"}
    assert len(due) == len([row for row in rows if row.state == "waiting"]) == 24
    moments = {AGAIN.solved_at + DAY, EXPORTED.solved_at + DAY}  # within 5 s they are one solve
    assert set(due.values()) == moments
    assert {row.status for row in await rows_of(store, tables.tickets)} == {"solved"}


async def test_reopened_before_or_after_the_solve_arrives_nothing_is_due(store: Store) -> None:
    for order in permutations([FIRST, REOPENED, FIRST, REOPENED]):
        await take(store, order)
        assert await waiting(store) == []


async def test_a_survey_that_was_done_is_never_armed_again(store: Store) -> None:
    await take(store, [FIRST])
    async with store.transaction() as tx:
        await tx.execute(tables.engine.deliveries.update().values(state="done"))
    await take(store, [REOPENED, solved("17", TEN, seen=TEN + timedelta(hours=2), road="export")])
    assert await waiting(store) == []


async def test_tickets_do_not_touch_each_other(store: Store) -> None:
    await take(store, [solved("1", TEN), solved("2", TEN), reopened("1", TEN + timedelta(hours=1))])
    rows = await deliveries(store, SURVEY)
    assert {row.lane: row.state for row in rows.values()} == {"1": "cancelled", "2": "waiting"}
