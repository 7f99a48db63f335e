"""A person leaves csat's database; the numbers stay, and everybody else stays as they are."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import SecretStr

from csat import tables
from csat.destinations import FEEDBACK, SURVEY
from csat.kpi.aggregation import tally_batch
from csat.ratings.answer import Answer
from csat.ratings.erase import erase
from csat.ratings.native import store_rating as take_native
from csat.ratings.repository import NewRating, record_answer
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.opt_out import opt_out
from csat.survey_page.vote import vote
from csat.surveys import repository
from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.contracts import SurveySkipped, TicketSnapshot
from supportops.store import Store, open_store
from tests.integration.csat.assertions import deliveries, on, promised, rows_of
from tests.integration.csat.events import solved
from tests.integration.csat.test_csat_explain import ENVIRONMENT
from tests.integration.csat.test_csat_timers import take
from tests.support.commands import run_command

RITA, JO = "8447388090601", "8447388090602"
WORDS = "My daughter Ida could not log in"
URL = "https://gitlab.example.com/support/feedback/-/issues/7"


async def voted(store: Store, ticket_id: str, requester: str, answer: Answer, clock: ManualClock) -> str:
    """Solved, asked, answered; the survey's id."""
    told = TicketSnapshot(requester_id=requester)
    await take(store, [solved(ticket_id, clock.now()).model_copy(update={"ticket": told})])
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, ticket_id, clock.now(), requester)
        await repository.record_sent(tx, survey, tx.now)
        await vote(tx, survey, answer)
        tx.deliveries.cancel(SURVEY, repository.solve_key(ticket_id, clock.now()))
    return survey.survey_id


async def two_people(store: Store, clock: ManualClock) -> str:
    """Rita, who wrote something on two tickets, and Jo; the id of Rita's survey."""
    survey_id = await voted(store, "17", RITA, Answer("bad", WORDS, "Some other reason"), clock)
    await voted(store, "18", JO, Answer("good", "Jo was content"), clock)
    native = NewRating(Answer("good", WORDS), "native", RITA, clock.now())
    former = {"survey_id": "former", "ticket_id": "17", "superseded_at": clock.now()}
    issue = {"ticket_id": "17", "iid": "7", "web_url": URL, "revision": 1, "noted_comment": "hash-of-words"}
    issue |= {"created_at": clock.now(), "updated_at": clock.now()}
    async with store.transaction() as tx:
        await record_answer(tx, "19", native)
        await tx.conn.execute(tables.superseded_surveys.insert(), [former])
        await tx.conn.execute(tables.issues.insert(), [issue])
    return survey_id


async def everything(store: Store) -> str:
    """All that the database holds, as text."""
    own = tables.metadata.tables.values()
    return "\n".join([repr(tuple(row)) for table in own for row in await rows_of(store, table)])


async def numbers(store: Store) -> list[Any]:
    await tally_batch(store, ZoneInfo("UTC"))
    return [sorted(map(tuple, await rows_of(store, table))) for table in (tables.tally, tables.cells)]


@pytest.mark.both_databases
async def test_nothing_of_the_person_is_left_and_the_numbers_stay(store: Store, clock: ManualClock) -> None:
    await two_people(store, clock)
    before = await numbers(store)
    assert RITA in await everything(store)
    erased = await erase(store, RITA)
    left = await everything(store)
    assert RITA not in left
    assert "Ida" not in left
    assert "hash-of-words" not in left
    assert "Jo was content" in left
    assert JO in left
    assert await numbers(store) == before
    assert erased.tickets == ["17", "19"]
    assert erased.issues == [URL]
    assert erased.removed["answers: comment"] == 2
    assert {row.key for row in (await deliveries(store, FEEDBACK)).values() if row.state == "waiting"} == {
        f"{row.rating_id}:1" for row in await rows_of(store, tables.ratings) if row.ticket_id == "18"
    }


async def test_erased_again_there_is_nothing(store: Store, clock: ManualClock) -> None:
    await two_people(store, clock)
    await erase(store, RITA)
    before = await everything(store)
    again = await erase(store, RITA)
    assert not any(again.removed.values())
    assert await everything(store) == before


async def test_a_dry_run_says_the_same_and_removes_nothing(store: Store, clock: ManualClock) -> None:
    await two_people(store, clock)
    before = await everything(store)
    rehearsed = await erase(store, RITA, dry_run=True)
    assert await everything(store) == before
    assert await erase(store, RITA) == rehearsed


async def test_links_open_nothing_any_more(
    store: Store, clock: ManualClock, tokens: SurveyTokens, page: httpx.AsyncClient
) -> None:
    survey_id = await two_people(store, clock)
    links = [f"/s/{tokens.issue(each)}" for each in (survey_id, "former")]
    assert (await page.get(links[0])).status_code == 200
    await erase(store, RITA)
    assert [(await page.get(link)).status_code for link in links] == [404, 404]


async def test_a_survey_that_is_still_to_come_is_called_off(store: Store, clock: ManualClock) -> None:
    told = TicketSnapshot(requester_id=RITA)
    await take(store, [solved("20", clock.now()).model_copy(update={"ticket": told})])
    erased = await erase(store, RITA)
    [row] = (await deliveries(store, SURVEY)).values()
    [decision] = await rows_of(store, tables.decisions)
    assert (row.state, decision.rule, decision.send) == ("cancelled", "erased", False)
    assert [event.rule for event in await promised(store) if isinstance(event, SurveySkipped)] == ["erased"]
    assert RITA not in await everything(store)
    assert erased.removed["deliveries: called off"] == 1


async def test_an_opt_out_is_kept_and_nothing_beside_it(store: Store, clock: ManualClock) -> None:
    await two_people(store, clock)
    async with store.transaction() as tx:
        await opt_out(tx, RITA)
    erased = await erase(store, RITA)
    [row] = [row for row in await rows_of(store, tables.requesters) if row.requester_id == RITA]
    assert erased.opted_out
    assert row.opted_out_at is not None
    assert (row.asked_at, row.asked_ticket_id) == (None, None)


async def test_reading_the_same_rating_again_brings_no_comment_back(store: Store, clock: ManualClock) -> None:
    await two_people(store, clock)
    await erase(store, RITA)
    same = NewRating(Answer("good", WORDS), "native", RITA, clock.now())
    later = NewRating(Answer("bad", "New words"), "native", RITA, clock.now() + timedelta(hours=1))
    async with store.transaction() as tx:
        assert not await take_native(tx, "19", same)
    assert WORDS not in await everything(store)
    async with store.transaction() as tx:
        assert await take_native(tx, "19", later)


@on("sqlite")
async def test_the_command_says_what_it_removed_and_where_else_to_look(
    new_database: Callable[[str], str], clock: ManualClock
) -> None:
    url = new_database("csat")
    async with open_store(DatabaseSettings(url=SecretStr(url)), clock=clock) as store:
        await two_people(store, clock)
    refused = command(url, "erase", "--requester", RITA)
    assert refused.returncode == 1
    done = command(url, "erase", "--requester", RITA, "--yes", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["tickets"] == ["17", "19"]
    assert {"what": "ratings: comment, requester", "rows": 2} in told["removed"]
    assert f"GitLab: {URL}" in told["elsewhere"]
    assert command(url, "erase", "--requester", "rita").returncode == 2
    nothing = command(url, "erase", "--requester", RITA, "--yes")
    assert "nothing of requester" in nothing.stdout


def command(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command("csat", *words, environment=ENVIRONMENT | {"DATABASE_URL": url}, answer="n\n")
