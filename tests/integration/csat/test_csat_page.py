"""The survey page: only POST votes, links end, text stays text."""

import asyncio
import base64
import hashlib
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.surveys import repository
from csat.surveys.repository import Survey
from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.contracts import FeedbackReceived
from supportops.store import Store, open_store
from tests.integration.csat.assertions import on, promised, rows_of, sent_survey
from tests.integration.csat.http_app import csat_app

HOSTILE = '<script>alert(1)</script> {{7*7}} "quoted" @all /close'


@pytest.fixture
async def survey(store: Store, clock: ManualClock) -> Survey:
    return await sent_survey(store, "17", clock.now() - timedelta(days=1))


@pytest.fixture
def link(survey: Survey, tokens: SurveyTokens) -> str:
    return f"/s/{tokens.issue(survey.survey_id)}"


async def feedback(store: Store) -> list[FeedbackReceived]:
    return [event for event in await promised(store) if isinstance(event, FeedbackReceived)]


async def vote(page: httpx.AsyncClient, link: str, **fields: str) -> httpx.Response:
    return await page.post(link, data=fields)


async def test_the_second_step_needs_a_person(store: Store, link: str, tokens: SurveyTokens) -> None:
    """A robot presses the button and ticks nothing: the form comes back, nothing is counted."""
    policy = CsatPolicy.model_validate({"page": {"confirm": True}})
    transport = httpx.ASGITransport(app=csat_app(store, tokens, policy))
    async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as page:
        assert 'name="confirm"' in (await page.get(link)).text
        refused = await vote(page, link, score="good", comment="kept")
        assert (refused.status_code, "Please tick the box" in refused.text) == (422, True)
        assert "kept" in refused.text
        assert await rows_of(store, tables.ratings) == []
        assert (await vote(page, link, score="good", confirm="yes")).status_code == 303
    assert len(await rows_of(store, tables.ratings)) == 1


async def test_a_scanner_that_fetches_everything_ten_times_casts_no_vote(
    page: httpx.AsyncClient, link: str, store: Store
) -> None:
    for _ in range(10):
        for query in ("", "?score=good", "?score=bad", "?voted=1"):
            assert (await page.get(link + query)).status_code == 200
            head = await page.head(link + query)
            assert (head.status_code, head.content) == (200, b"")
    assert await rows_of(store, tables.ratings) == []
    assert await feedback(store) == []
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await page.request(method, link)).status_code == 405


@on("sqlite")
async def test_the_links_of_the_mail_only_preselect(page: httpx.AsyncClient, link: str) -> None:
    for score in ("good", "bad"):
        shown = (await page.get(f"{link}?score={score}")).text
        assert shown.count(" checked") == 1
        assert f'value="{score}" required checked' in shown
    assert " checked" not in (await page.get(link)).text
    assert " checked" not in (await page.get(f"{link}?score=%22%3E%3Cscript%3E")).text


@pytest.mark.both_databases
async def test_a_vote_is_stored_and_becomes_an_event(
    page: httpx.AsyncClient, link: str, store: Store, clock: ManualClock
) -> None:
    answer = await vote(page, link, score="bad", comment="slow\r\nvery", reason="Some other reason")
    assert (answer.status_code, answer.headers["location"]) == (303, "?voted=1")
    [event] = await feedback(store)
    assert (event.ticket_id, event.subject, event.score) == ("17", "17", "bad")
    assert (event.comment, event.reason) == ("slow\nvery", "Some other reason")
    assert (event.requester_id, event.rated_at, event.source_kind) == ("5", clock.now(), "hosted")
    thanks = await page.get(f"{link}?voted=1")
    assert "Your answer is recorded: Bad." in thanks.text
    assert "29 November 2026" not in thanks.text
    assert "30 November 2026, 09:00 UTC" in thanks.text


async def test_a_double_submit_is_one_vote(page: httpx.AsyncClient, link: str, store: Store) -> None:
    for _ in range(3):
        assert (await vote(page, link, score="good", comment="fine")).status_code == 303
    assert len(await feedback(store)) == 1


@pytest.mark.both_databases
async def test_votes_cast_at_the_same_moment_take_turns(
    page: httpx.AsyncClient, link: str, store: Store
) -> None:
    votes = [
        vote(page, link, **fields)
        for n in range(8)
        for fields in ({"score": "bad", "comment": f"number {n}"}, {"score": "good"})
    ]
    replies = await asyncio.gather(*votes)
    assert {reply.status_code for reply in replies} == {303}
    events = await feedback(store)
    [rating] = await rows_of(store, tables.ratings)
    assert rating.revision == len(events) == len({event.id for event in events})
    in_order = sorted(events, key=lambda event: int(event.id.rpartition(":")[2]))
    said = [None, *(event.comment for event in in_order)]
    assert {*said} >= {f"number {n}" for n in range(8)}
    for before, event in zip(said, in_order, strict=False):
        assert (
            event.score == "bad" or event.comment == before
        )  # whoever said nothing took nobody's words away


async def test_an_answer_can_be_changed_and_the_latest_counts(
    page: httpx.AsyncClient, link: str, store: Store, clock: ManualClock
) -> None:
    await vote(page, link, score="bad", comment="slow")
    clock.advance(timedelta(days=2))
    await vote(page, link, score="good")
    clock.advance(timedelta(days=2))
    await vote(page, link, score="bad", comment="slow")
    first, second, third = await feedback(store)
    assert len({first.id, second.id, third.id}) == 3
    assert first.rating_id == second.rating_id == third.rating_id
    assert first.rated_at < second.rated_at < third.rated_at
    [rating] = await rows_of(store, tables.ratings)
    assert (rating.score, rating.comment, rating.revision) == ("bad", "slow", 3)
    assert "You answered: Bad." in (await page.get(link)).text


async def test_a_vote_proves_that_the_survey_was_sent(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    async with store.transaction() as tx:  # posted by a worker that died before it could say so
        survey = await repository.reserve_survey(tx, "18", clock.now(), "5")
    await vote(page, f"/s/{tokens.issue(survey.survey_id)}", score="good")
    async with store.transaction() as tx:  # its successor finds the comment
        await repository.record_sent(tx, survey, tx.now + timedelta(minutes=1))
    [row] = await rows_of(store, tables.surveys)
    assert row.sent_at == row.asking_since
    assert [type(event).__name__ for event in await promised(store)] == ["SurveySent", "FeedbackReceived"]


@on("sqlite")
async def test_links_that_open_nothing_say_why(
    page: httpx.AsyncClient, link: str, tokens: SurveyTokens, clock: ManualClock, store: Store
) -> None:
    unknown = f"/s/{tokens.issue('never-sent')}"
    for method in ("GET", "POST"):
        tampered = await page.request(
            method, link[:-4] + "AAAA", data={"score": "good"} if method == "POST" else None
        )
        assert (tampered.status_code, "not valid" in tampered.text) == (400, True)
        nobody = await page.request(method, unknown)
        assert (nobody.status_code, "no such survey" in nobody.text) == (404, True)
    clock.advance(timedelta(days=28, seconds=1))
    for method in ("GET", "POST"):
        late = await page.request(method, link, data={"score": "good"} if method == "POST" else None)
        assert (late.status_code, "expired" in late.text) == (410, True)
    assert await feedback(store) == []


@on("sqlite")
async def test_a_form_that_is_no_answer_comes_back_with_what_was_typed(
    page: httpx.AsyncClient, link: str, store: Store
) -> None:
    unfit: list[tuple[dict[str, str], str]] = [
        ({}, "Please choose Good or Bad."),
        ({"score": "excellent"}, "Please choose Good or Bad."),
        ({"score": "bad", "reason": "made up"}, "Please choose a reason from the list."),
        ({"score": "bad", "comment": "x" * 201}, "201 characters, 200 are possible"),
    ]
    for fields, words in unfit:
        shown = await page.post(
            link, data=fields, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert (shown.status_code, words in shown.text) == (422, True), words
        assert fields.get("comment", "") in shown.text
    assert await feedback(store) == []


@on("sqlite")
async def test_bodies_have_limits(page: httpx.AsyncClient, link: str, rules: CsatPolicy) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    huge = b"score=good&comment=" + b"x" * (12 * rules.comment_limit + 4096)
    assert (await page.post(link, content=huge, headers=form)).status_code == 413
    many = b"&".join(b"a=1" for _ in range(21))
    assert (await page.post(link, content=many, headers=form)).status_code == 400
    assert (await page.post(link, content=b"\xff\xfe=1", headers=form)).status_code == 400
    assert (await page.post(link, json={"score": "good"})).status_code == 415
    assert (await page.post(link, files={"score": b"good"})).status_code == 415


@on("sqlite")
async def test_hostile_text_stays_text(page: httpx.AsyncClient, link: str, store: Store) -> None:
    await vote(page, link, score="bad", comment=HOSTILE)
    [event] = await feedback(store)
    assert event.comment == HOSTILE
    unfit = await vote(page, link, score="", comment=HOSTILE)  # comes back to whoever wrote it
    assert "<script>" not in unfit.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}} &#34;quoted&#34;" in unfit.text


async def test_a_given_comment_is_shown_to_nobody_and_kept(
    page: httpx.AsyncClient, link: str, store: Store
) -> None:
    saved, drop = "Your comment was saved", 'name="comment_drop"'
    await vote(page, link, score="bad", comment="for your eyes only")
    for query in ("", "?score=good", "?voted=1"):
        assert "for your eyes" not in (await page.get(link + query)).text
    assert [word in (await page.get(link)).text for word in (saved, drop)] == [True, True]

    async def comment() -> str | None:
        [rating] = await rows_of(store, tables.ratings)
        return str(rating.comment) if rating.comment else None

    await vote(page, link, score="good", comment="  ")  # nobody can confirm what they do not see
    assert await comment() == "for your eyes only"
    await vote(page, link, score="good", comment="another one", comment_drop="yes")
    assert await comment() == "another one"
    await vote(page, link, score="good", comment_drop="yes")
    assert await comment() is None
    assert [word in (await page.get(link)).text for word in (saved, drop)] == [False, False]


@on("sqlite")
async def test_pages_tell_nobody_about_the_link(page: httpx.AsyncClient, link: str) -> None:
    for reply in (await page.get(link), await page.get("/s/x"), await vote(page, link, score="good")):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cache-control"] == "no-store"
        assert "set-cookie" not in reply.headers
    shown = (await page.get(link)).text
    assert "http" not in shown.replace("https://survey.example.com", "")
    assert "<script" not in shown
    assert link.removeprefix("/s/") not in shown


@on("sqlite")
async def test_what_is_logged_opens_nothing_and_tells_no_words(page: httpx.AsyncClient, link: str) -> None:
    with capture_logs() as lines:
        await page.get(link)
        await vote(page, link, score="bad", comment="confidential")
        await page.get(f"{link}tampered")
    told = [
        {key: line[key] for key in ("event", "ticket_id", "score", "status") if key in line} for line in lines
    ]
    assert told == [
        {"event": "vote.taken", "ticket_id": "17", "score": "bad"},
        {"event": "survey_link.refused", "status": 400},
    ]
    assert link.removeprefix("/s/") not in str(lines)
    assert "confidential" not in str(lines)


@on("sqlite")
async def test_the_style_is_the_one_that_the_policy_allows(page: httpx.AsyncClient, link: str) -> None:
    reply = await page.get(link)
    style = reply.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in reply.headers["content-security-policy"]


async def test_a_vote_that_cannot_be_stored_is_not_thanked_for(
    tokens: SurveyTokens, rules: CsatPolicy, clock: ManualClock, tmp_path: Path
) -> None:
    nowhere = DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path}/no/such/folder.db"))
    async with open_store(nowhere, clock=clock) as store:
        app = csat_app(store, tokens, rules)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as browser:
            reply = await vote(browser, f"/s/{tokens.issue('any')}", score="good")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")
    assert "could not be recorded" in reply.text
    assert reply.headers["referrer-policy"] == "no-referrer"
