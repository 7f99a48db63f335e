"""To which day a ticket belongs, and what it counts as, through all that may happen to it."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from csat import tables
from csat.kpi import queries, ticket_facts
from csat.kpi.aggregation import Tallying, recount, tally_batch
from csat.kpi.filters import View
from csat.kpi.measures import Counts
from csat.ratings.answer import Answer
from csat.ratings.repository import NewRating, record_answer
from csat.surveys import repository
from csat.surveys.exclusion_rules import Decision
from supportops.store import Store, Transaction
from tests.integration.csat.assertions import assert_equals_naive, note, on, rows_of, sent_survey, tallied
from tests.support.engine import running
from tests.support.eventually import eventually

JANUARY = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
FEBRUARY = JANUARY + timedelta(days=5)
YEAR = View(date(2026, 1, 1), date(2027, 1, 1))
NO = Decision(False, "spam", "spam")


async def solve(store: Store, ticket_id: str, solved_at: datetime) -> None:
    await in_handler(store, ticket_id, lambda tx: ticket_facts.note_solved(tx, ticket_id, solved_at))


async def reopen(store: Store, ticket_id: str) -> None:
    await in_handler(store, ticket_id, lambda tx: ticket_facts.note_reopened(tx, ticket_id))


async def in_handler(store: Store, ticket_id: str, act: Callable[[Transaction], None]) -> None:
    async with store.transaction() as tx:
        await tx.load(tables.ticket_facts, [ticket_id])
        act(tx)


async def months(store: Store, zone: Any = UTC) -> dict[int, tuple[int, ...]]:
    """Solved, decided, asked, good, bad by month, where there is anything."""
    await tallied(store, zone)
    await assert_equals_naive(store, YEAR, zone)
    async with store.reading() as conn:
        found = await queries.trend(conn, YEAR, "month")
    return {day.month: (c.solved, c.decided, c.asked, c.good, c.bad) for day, c in found if c != Counts()}


async def test_reopened_before_it_was_asked_it_leaves_the_numbers(store: Store) -> None:
    await solve(store, "1", JANUARY)
    assert await months(store) == {1: (1, 0, 0, 0, 0)}
    await reopen(store, "1")
    assert await months(store) == {}
    await solve(store, "1", FEBRUARY)
    assert await months(store) == {2: (1, 0, 0, 0, 0)}


async def test_asked_it_stays_where_it_was_whatever_comes_later(store: Store) -> None:
    await solve(store, "1", JANUARY)
    await sent_survey(store, "1", JANUARY)
    await reopen(store, "1")
    await solve(store, "1", FEBRUARY)
    assert await months(store) == {1: (1, 1, 1, 0, 0)}


async def test_a_rating_of_zendesk_counts_without_a_survey_of_ours(store: Store) -> None:
    await solve(store, "1", JANUARY)
    answer = NewRating(Answer("good"), "native", None, FEBRUARY)
    async with store.transaction() as tx:
        await record_answer(tx, "1", answer)
        await record_answer(tx, "2", answer)  # we never saw a solve of this one
    assert await months(store) == {1: (1, 1, 1, 1, 0), 2: (1, 1, 1, 1, 0)}


async def test_a_changed_vote_moves_from_bad_to_good(store: Store) -> None:
    await sent_survey(store, "1", JANUARY)
    for score, later in (("bad", 1), ("good", 2)):
        rated_at = JANUARY + timedelta(days=later)
        async with store.transaction() as tx:
            await record_answer(tx, "1", NewRating(Answer(score), "hosted", None, rated_at))  # type: ignore[arg-type]
        found = await months(store)
    assert found == {1: (1, 1, 1, 1, 0)}


async def test_a_decision_that_comes_late_is_about_its_own_solve(store: Store) -> None:
    await solve(store, "1", JANUARY)
    await solve(store, "1", FEBRUARY)
    async with store.transaction() as tx:
        await repository.record_decision(tx, "1", JANUARY, NO)
    assert await months(store) == {2: (1, 0, 0, 0, 0)}
    async with store.transaction() as tx:
        await repository.record_decision(tx, "1", FEBRUARY, NO)
    assert await months(store) == {2: (1, 1, 0, 0, 0)}
    await solve(store, "1", FEBRUARY)  # told once more
    assert await months(store) == {2: (1, 1, 0, 0, 0)}


async def test_midnight_is_that_of_the_report(store: Store) -> None:
    await solve(store, "1", JANUARY)
    assert await months(store, ZoneInfo("Europe/Berlin")) == {2: (1, 0, 0, 0, 0)}


async def test_what_changes_no_number_changes_none(store: Store) -> None:
    await solve(store, "1", JANUARY)
    await sent_survey(store, "1", JANUARY)
    await tallied(store, UTC)
    before = await counted_rows(store)
    await note(store, "1", asked_at=FEBRUARY, described_at=FEBRUARY)
    assert await tally_batch(store, UTC) == 1
    assert await counted_rows(store) == before
    assert await tally_batch(store, UTC) == 0


async def counted_rows(store: Store) -> list[Sequence[Any]]:
    found = [
        tuple(row)
        for table in (tables.counted, tables.tally, tables.cells)
        for row in await rows_of(store, table)
    ]
    return sorted(found, key=str)


@pytest.mark.parametrize("disturbed", [False, True])
@pytest.mark.both_databases
async def test_a_recount_finds_the_same_and_mends_what_was_spoilt(store: Store, disturbed: bool) -> None:
    for number in range(5):
        await solve(store, str(number), JANUARY + timedelta(days=number))
        await note(store, str(number), form="ab"[number % 2])
    await note(store, "unsolved", score="good", rated_at=FEBRUARY)
    await tallied(store, UTC)
    before = await counted_rows(store)
    if disturbed:
        async with store.transaction() as tx:
            await tx.conn.execute(tables.tally.update().values(solved=7))
            await tx.conn.execute(tables.counted.delete())
    heard: list[tuple[int, int]] = []
    assert await recount(store, UTC, lambda done, total: heard.append((done, total))) == 6
    assert heard == [(5, 5)]
    assert await counted_rows(store) == before


@pytest.mark.needs_postgres
@on("postgres")
async def test_what_somebody_holds_is_counted_later(store: Store) -> None:
    await solve(store, "1", JANUARY)
    await solve(store, "2", JANUARY)
    async with store.transaction() as tx:
        await tx.load(tables.ticket_facts, ["1"])
        assert await tally_batch(store, UTC) == 1
        assert await tally_batch(store, UTC) == 0
    assert await tally_batch(store, UTC) == 1


async def test_the_component_counts_what_is_noted_while_it_runs(store: Store) -> None:
    async def is_counted() -> bool:
        return len(await rows_of(store, tables.counted)) == 5

    async with running(Tallying(store, UTC, batch=2)):
        for number in range(5):
            await solve(store, str(number), JANUARY)
        await eventually(is_counted)
