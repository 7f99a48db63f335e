"""What is known of a ticket goes after its time, and not before."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from csat import tables
from csat.kpi.aggregation import tally_batch
from csat.policy.csat import CsatPolicy
from csat.ratings.answer import Answer
from csat.ratings.retention import forget_comments, own_retention
from csat.survey_page.opt_out import opt_out
from csat.survey_page.vote import vote
from csat.surveys import repository
from csat.surveys.exclusion_rules import Decision
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.workers import janitor
from tests.integration.csat.assertions import rows_of, sent_survey
from tests.integration.csat.events import solved
from tests.integration.csat.test_csat_timers import take
from tests.support.engine import running
from tests.support.eventually import eventually

OWN = (
    tables.tickets,
    tables.happenings,
    tables.decisions,
    tables.surveys,
    tables.ratings,
    tables.answers,
    tables.ticket_facts,
)


async def ticket_with_a_story(store: Store, ticket_id: str, clock: ManualClock) -> None:
    await take(store, [solved(ticket_id, clock.now())])
    survey = await sent_survey(store, ticket_id, clock.now())
    async with store.transaction() as tx:
        await repository.record_decision(
            tx, ticket_id, clock.now(), Decision(True, "send", "no rule objects")
        )
        await vote(tx, survey, Answer("good", "thanks"))
    await tally_batch(store, ZoneInfo("UTC"))


@pytest.mark.both_databases
async def test_old_history_goes_and_the_rest_stays(store: Store, clock: ManualClock) -> None:
    rules = CsatPolicy()
    await ticket_with_a_story(store, "1", clock)
    clock.advance(rules.keep_history)
    await ticket_with_a_story(store, "2", clock)
    clock.advance(timedelta(seconds=1))

    async def only_the_young() -> bool:
        left = [{row.ticket_id for row in await rows_of(store, table)} for table in OWN]
        return left == [{"2"}] * len(OWN)

    async with running(janitor(store, own_retention(rules), Metrics())):
        gone: bool = await eventually(only_the_young)
        assert gone


async def test_who_opted_out_is_remembered(store: Store, clock: ManualClock) -> None:
    rules = CsatPolicy()
    async with store.transaction() as tx:
        await opt_out(tx, "7")
        rows = await tx.load(tables.requesters, ["8"])
        rows.put("8", asked_at=clock.now(), changed_at=clock.now())
    clock.advance(2 * rules.keep_history)

    async def only_the_opt_out() -> bool:
        return [row.requester_id for row in await rows_of(store, tables.requesters)] == ["7"]

    async with running(janitor(store, own_retention(rules), Metrics())):
        assert await eventually(only_the_opt_out)


async def test_days_leave_the_numbers_with_their_tickets(store: Store, clock: ManualClock) -> None:
    rules = CsatPolicy()
    await ticket_with_a_story(store, "1", clock)
    clock.advance(rules.keep_history + timedelta(days=9))

    async def nothing_is_counted() -> bool:
        counted = (tables.tally, tables.cells, tables.counted, tables.ticket_facts)
        return [await rows_of(store, table) for table in counted] == [[]] * len(counted)

    async with running(janitor(store, own_retention(rules), Metrics())):
        assert await eventually(nothing_is_counted)


async def test_old_words_go_and_the_rating_stays(store: Store, clock: ManualClock) -> None:
    rules = CsatPolicy()
    await ticket_with_a_story(store, "1", clock)
    clock.advance(rules.keep_comments)
    await ticket_with_a_story(store, "2", clock)
    clock.advance(timedelta(seconds=1))
    before = [tuple(row) for row in await rows_of(store, tables.tally)]
    await forget_comments(store, rules.keep_comments, Metrics())
    for table in (tables.ratings, tables.answers):
        kept = {row.ticket_id: (row.score, row.comment) for row in await rows_of(store, table)}
        assert kept == {"1": ("good", None), "2": ("good", "thanks")}
    commented = {row.ticket_id: row.has_comment for row in await rows_of(store, tables.ticket_facts)}
    assert commented == {"1": False, "2": True}
    await tally_batch(store, ZoneInfo("UTC"))
    assert [tuple(row) for row in await rows_of(store, tables.tally)] == before
