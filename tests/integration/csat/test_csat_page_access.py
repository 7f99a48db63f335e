"""Who gets in by a link, who does not and why, who may not send so often, and who wants no more surveys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.policy.survey_page import SurveyPagePolicy
from csat.ratings.answer import Answer
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page import vote
from csat.survey_page.errors import Refused
from csat.survey_page.opt_out import has_opted_out
from csat.survey_page.routes import SurveyPage
from csat.surveys import repository
from csat.surveys.repository import Survey
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.csat.assertions import on, rows_of, sent_survey
from tests.integration.csat.http_app import csat_app

GOOD = {"score": "good"}


@pytest.fixture
async def survey(store: Store, clock: ManualClock) -> Survey:
    return await sent_survey(store, "17", clock.now() - timedelta(days=1))


@pytest.fixture
def link(survey: Survey, tokens: SurveyTokens) -> str:
    return f"/s/{tokens.issue(survey.survey_id)}"


@asynccontextmanager
async def visitor(
    store: Store, tokens: SurveyTokens, rules: CsatPolicy, metrics: Metrics | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of a page with rules and metrics of the test's own."""
    page = SurveyPage(store, tokens, rules, metrics=metrics)
    app = csat_app(store, tokens, rules, page=page)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as client:
        yield client


async def supersede(store: Store, survey: Survey) -> None:
    """The ticket is asked anew for a later solve: its survey gets another id."""
    async with store.transaction() as tx:
        await tx.execute(
            update(tables.surveys)
            .where(tables.surveys.c.survey_id == survey.survey_id)
            .values(survey_id="another")
        )
        rows = await tx.load(tables.superseded_surveys, [survey.survey_id])
        rows.put(survey.survey_id, ticket_id=survey.ticket_id, superseded_at=tx.now)


async def erase(store: Store, survey: Survey) -> None:
    async with store.transaction() as tx:
        await tx.execute(delete(tables.surveys).where(tables.surveys.c.survey_id == survey.survey_id))


async def test_a_superseded_link_says_that_there_is_a_newer_survey(
    page: httpx.AsyncClient, link: str, survey: Survey, store: Store, tokens: SurveyTokens
) -> None:
    await supersede(store, survey)
    for reply in (await page.get(link), await page.post(link, data=GOOD)):
        assert (reply.status_code, "newer survey was sent for this request" in reply.text) == (410, True)
    assert await rows_of(store, tables.ratings) == []
    newer = await page.post(f"/s/{tokens.issue('another')}", data=GOOD)
    assert newer.status_code == 303


async def test_the_link_of_someone_who_was_erased_leads_nowhere(
    page: httpx.AsyncClient, link: str, survey: Survey, store: Store
) -> None:
    await erase(store, survey)
    for reply in (await page.get(link), await page.post(link, data=GOOD)):
        assert (reply.status_code, "no such survey" in reply.text) == (404, True)


@on("sqlite")
async def test_a_native_survey_never_opens_here(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, "18", clock.now(), "5", mode="native")
    link = f"/s/{tokens.issue(survey.survey_id)}"
    assert (await page.get(link)).status_code == 404
    assert (await page.post(link, data=GOOD)).status_code == 404
    assert await rows_of(store, tables.ratings) == []


@pytest.mark.parametrize(("change", "status"), [(supersede, 410), (erase, 404)])
async def test_a_vote_that_was_under_way_when_its_survey_went_is_refused(
    survey: Survey, store: Store, change: object, status: int
) -> None:
    await (supersede if change is supersede else erase)(store, survey)
    with pytest.raises(Refused) as refused:  # its page was opened before
        async with store.transaction() as tx:
            await vote.vote(tx, survey, Answer("good"))
    assert refused.value.status == status
    assert await rows_of(store, tables.ratings) == []


@on("sqlite")
async def test_links_survive_a_change_of_keys(store: Store, clock: ManualClock, survey: Survey) -> None:
    old = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
    link = f"/s/{old.issue(survey.survey_id)}"
    both = SurveyTokens(["the-new-key-of-these-tests", "the-key-of-these-tests"], timedelta(days=28), clock)
    new = SurveyTokens(["the-new-key-of-these-tests"], timedelta(days=28), clock)
    for tokens, status in ((both, 303), (new, 400)):
        async with visitor(store, tokens, CsatPolicy()) as page:
            assert (await page.post(link, data=GOOD)).status_code == status


@on("sqlite")
async def test_a_link_that_is_used_too_often_has_to_wait_and_loses_nothing(
    store: Store, tokens: SurveyTokens, link: str, clock: ManualClock
) -> None:
    rules = CsatPolicy(page=SurveyPagePolicy(posts_per_minute_and_link=3))
    metrics = Metrics()
    other = await sent_survey(store, "18", clock.now())
    async with visitor(store, tokens, rules, metrics) as page:
        replies = [await page.post(link, data={"score": "bad", "comment": f"No. {n} <b>"}) for n in range(4)]
        assert [reply.status_code for reply in replies] == [303, 303, 303, 429]
        wait = replies[-1].headers["retry-after"]
        assert 1 <= int(wait) <= 60
        assert f"please send it again in {wait} seconds" in replies[-1].text
        assert "No. 3 &lt;b&gt;</textarea>" in replies[-1].text
        assert replies[-1].text.count(" checked") == 1
        assert (await page.get(link)).status_code == 200  # looking is free
        assert (await page.post(f"/s/{tokens.issue(other.survey_id)}", data=GOOD)).status_code == 303
    assert [row.comment for row in await rows_of(store, tables.ratings)] == ["No. 2 <b>", None]
    assert metrics.value("survey_links_refused", why="too_often") == 1


@on("sqlite")
async def test_all_links_together_have_a_limit_too(
    store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    rules = CsatPolicy(page=SurveyPagePolicy(posts_per_minute=2))
    surveys = [await sent_survey(store, str(ticket), clock.now()) for ticket in range(3)]
    async with visitor(store, tokens, rules) as page:
        for survey, status in zip(surveys, (303, 303, 429), strict=True):
            reply = await page.post(f"/s/{tokens.issue(survey.survey_id)}", data=GOOD)
            assert reply.status_code == status
        assert (await page.post("/s/made.up.token", data=GOOD)).status_code == 400


async def test_a_requester_opts_out_and_back_in(
    store: Store, tokens: SurveyTokens, link: str, clock: ManualClock
) -> None:
    metrics = Metrics()
    async with visitor(store, tokens, CsatPolicy(), metrics) as page:
        assert "Please don&#39;t ask me again" in (await page.get(link)).text
        for _ in range(2):
            gone = await page.post(link, data={"asking": "stop"})
            assert (gone.status_code, gone.headers["location"]) == (303, "?")
            clock.advance(timedelta(hours=1))
        shown = (await page.get(link)).text
        assert "You may ask me again" in shown
        assert "Please don&#39;t ask me again" not in shown
        [row] = await rows_of(store, tables.requesters)
        assert (row.requester_id, row.opted_out_at) == ("5", clock.now() - timedelta(hours=2))
        assert (await page.post(link, data=GOOD)).status_code == 303  # this survey stays open
        back = await page.post(link, data={"asking": "resume"})
        assert back.headers["location"] == "?voted=1"
        assert "Please don&#39;t ask me again" in (await page.get(f"{link}?voted=1")).text
    [row] = await rows_of(store, tables.requesters)
    assert (row.opted_out_at, row.changed_at) == (None, clock.now())
    assert [metrics.value("survey_opt_outs", wish=wish) for wish in ("stop", "resume")] == [1, 1]
    assert len(await rows_of(store, tables.ratings)) == 1


async def test_opting_out_keeps_what_is_known_of_the_requester(
    page: httpx.AsyncClient, link: str, store: Store, clock: ManualClock
) -> None:
    async with store.transaction() as tx:
        rows = await tx.load(tables.requesters, ["5"])
        rows.put("5", asked_at=tx.now, asked_ticket_id="17", changed_at=tx.now)
    replies = await asyncio.gather(*(page.post(link, data={"asking": "stop"}) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {303}
    [row] = await rows_of(store, tables.requesters)
    assert (row.asked_ticket_id, row.opted_out_at) == ("17", clock.now())


@on("sqlite")
async def test_looking_never_opts_out_and_is_told_in_the_log(
    page: httpx.AsyncClient, link: str, store: Store
) -> None:
    for query in ("?asking=stop", "?asking=resume", "?asking=stop&score=good"):
        await page.get(link + query)
        await page.head(link + query)
    async with store.reading() as conn:
        assert not await has_opted_out(conn, "5")
    with capture_logs() as lines:
        await page.post(link, data={"asking": "stop"})
    [line] = [each for each in lines if each["event"] == "requester.asking"]
    assert (line["wish"], line["ticket_id"]) == ("stop", "17")
    assert (await page.post(link, data={"asking": "whatever"})).status_code == 400


@on("sqlite")
async def test_whom_we_do_not_know_is_not_offered_to_opt_out(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, "18", clock.now(), None)
    link = f"/s/{tokens.issue(survey.survey_id)}"
    assert "ask me again" not in (await page.get(link)).text
    assert (await page.post(link, data={"asking": "stop"})).status_code == 400
    assert await rows_of(store, tables.requesters) == []
