"""The numbers' API: who may ask, a hand-calculated set, paging, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from csat.kpi import ticket_facts
from csat.policy.native_ratings import Score
from csat.ratings.answer import Answer
from csat.survey_page.vote import vote
from csat.surveys import repository
from csat.surveys.exclusion_rules import Decision
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat.assertions import note, on, sent_survey, tallied
from tests.integration.csat.http_app import API_TOKEN

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}
COUNTS = ("solved", "decided", "asked", "good", "bad")


async def get(page: httpx.AsyncClient, path: str, **params: Any) -> Any:
    """The answer of the API, as JSON."""
    reply = await page.get(path, params=params, headers=BEARER)
    assert reply.status_code == 200, reply.text
    return reply.json()


def counts_of(numbers: dict[str, Any]) -> tuple[int, ...]:
    return tuple(numbers[name] for name in COUNTS)


STRANGE = (
    None,
    "",
    "Bearer",
    "Bearer ",
    f"Basic {API_TOKEN}",
    f"Bearer {API_TOKEN}x",
    f"Bearer {API_TOKEN[:-1]}",
    "Bearer é",
    API_TOKEN,
)


@on("sqlite")
@pytest.mark.parametrize("path", ["/api/kpi", "/api/ratings", "/api/surveys"])
async def test_never_without_the_token(page: httpx.AsyncClient, path: str) -> None:
    for authorization in STRANGE:
        headers = [] if authorization is None else [(b"Authorization", authorization.encode())]
        reply = await page.get(path, headers=headers)
        assert reply.status_code == 401, authorization
        assert reply.headers["www-authenticate"] == "Bearer", authorization


async def test_nothing_yet(page: httpx.AsyncClient) -> None:
    reply = await get(page, "/api/kpi", by="form", trend="month")
    assert counts_of(reply["totals"]) == (0, 0, 0, 0, 0)
    assert reply["totals"]["kpi"]["value"] is None
    assert reply["breakdown"] == []
    assert [period["first_day"] for period in reply["trend"]] == [
        "2026-08-01",
        "2026-09-01",
        "2026-10-01",
        "2026-11-01",
    ]


@pytest.mark.both_databases
async def test_against_a_hand_calculated_set(
    page: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    solved_at = clock.now() - timedelta(days=1)
    votes: dict[str, Score | None] = {"1": "good", "2": "good", "3": "good", "4": "bad", "5": None, "6": None}
    for ticket_id, score in votes.items():
        survey = await sent_survey(store, ticket_id, solved_at)
        await note(store, ticket_id, form="GitLab.com" if ticket_id in "14" else "Self-Managed")
        if score is not None:
            async with store.transaction() as tx:
                await vote(tx, survey, Answer(score))
    async with store.transaction() as tx:  # not asked, by a rule; about to be asked; not due yet
        await ticket_facts.note(tx, "7", solved_at=solved_at)
        await repository.record_decision(tx, "7", solved_at, Decision(False, "spam", "spam"))
        await repository.reserve_survey(tx, "8", solved_at, None)
        await ticket_facts.note(tx, "8", solved_at=solved_at)
        await ticket_facts.note(tx, "9", solved_at=solved_at, form="GitLab.com")
    await tallied(store, UTC)
    reply = await get(page, "/api/kpi", by="form")
    totals = reply["totals"]
    assert counts_of(totals) == (9, 7, 6, 3, 1)
    assert (totals["kpi"]["value"], totals["kpi"]["target"], totals["kpi"]["reached"]) == (0.75, 0.95, False)
    assert totals["kpi"]["low"] == pytest.approx(0.3006, abs=1e-4)  # Wilson, 3 of 4
    assert totals["kpi"]["high"] == pytest.approx(0.9544, abs=1e-4)
    assert (totals["response_rate"]["k"], totals["response_rate"]["n"]) == (4, 6)
    assert (totals["offered_rate"]["k"], totals["offered_rate"]["n"]) == (6, 7)
    by_form = {part["value"]: counts_of(part) for part in reply["breakdown"]}
    assert by_form == {"": (2, 1, 0, 0, 0), "GitLab.com": (3, 2, 2, 1, 1), "Self-Managed": (4, 4, 4, 2, 0)}


async def test_a_changed_mind_counts_once(page: httpx.AsyncClient, store: Store, clock: ManualClock) -> None:
    survey = await sent_survey(store, "1", clock.now())
    for answer in (Answer("bad", "slow"), Answer("good"), Answer("good", "thanks")):
        async with store.transaction() as tx:
            await vote(tx, survey, answer)
        await tallied(store, UTC)
    reply = await get(page, "/api/kpi")
    assert counts_of(reply["totals"]) == (1, 1, 1, 1, 0)


async def rated(store: Store, ticket_id: str, rated_at: datetime, **more: Any) -> None:
    """A ticket that was asked and rated."""
    solved_at = rated_at - timedelta(days=1)
    survey = await sent_survey(store, ticket_id, solved_at)
    await note(store, ticket_id, **more)
    async with store.transaction() as tx:
        await vote(tx, survey, Answer("bad", f"comment of {ticket_id}", "My issue was not resolved"))


@pytest.mark.both_databases
async def test_ratings_page_by_page(page: httpx.AsyncClient, store: Store, clock: ManualClock) -> None:
    for number in range(5):  # two of them in the same moment
        await rated(store, str(number), clock.now(), plan="Premium" if number % 2 else "")
        if number != 2:
            clock.advance(timedelta(minutes=1))
    await tallied(store, UTC)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await get(page, "/api/ratings", limit=2, **cursor)
        seen += [rating["ticket_id"] for rating in reply["ratings"]]
        if reply["next"] is None:
            break
        cursor = {"cursor": reply["next"]}
    assert seen == ["4", "3", "2", "1", "0"]
    reply = await get(page, "/api/ratings", plan="Premium")
    assert [rating["ticket_id"] for rating in reply["ratings"]] == ["3", "1"]
    assert reply["ratings"][0]["comment"] == "comment of 3"
    reply = await get(page, "/api/ratings", plan="(none)", score="bad")
    assert [rating["ticket_id"] for rating in reply["ratings"]] == ["4", "2", "0"]
    assert (await get(page, "/api/ratings", score="good"))["ratings"] == []


@pytest.mark.both_databases
async def test_surveys_tell_who_was_asked_and_who_was_not(
    page: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    solved_at = clock.now() - timedelta(days=1)
    for number, rule in enumerate(("send", "spam", "send")):
        moment = solved_at + timedelta(minutes=number)
        if rule == "send":
            await sent_survey(store, str(number), moment)
        async with store.transaction() as tx:
            await repository.record_decision(
                tx, str(number), moment, Decision(rule == "send", rule, "because")
            )
    first = await get(page, "/api/surveys", limit=2)
    second = await get(page, "/api/surveys", limit=2, cursor=first["next"])
    assert [row["ticket_id"] for row in first["surveys"] + second["surveys"]] == ["2", "1", "0"]
    assert second["next"] is None
    spam = (await get(page, "/api/surveys", rule="spam"))["surveys"]
    assert [(row["asked"], row["mode"], row["sent_at"]) for row in spam] == [(False, None, None)]
    asked = (await get(page, "/api/surveys", rule="send"))["surveys"]
    assert [(row["asked"], row["mode"], row["sent_at"] is None) for row in asked] == [
        (True, "hosted", False)
    ] * 2


REFUSED = [
    ("/api/kpi", "plan=Gold&plan=Premium", "must be given once"),
    ("/api/kpi", "since=yesterday", "since"),
    ("/api/kpi", "since=2026-02-30", "must be a day such as"),
    ("/api/kpi", "since=2026-02-02&until=2026-02-02", "must be before until"),
    ("/api/kpi", "since=2001-01-01&until=2020-01-01", "at most 3660 days"),
    ("/api/kpi", "since=1815-01-01", "between 2000-01-01 and 2100-01-01"),
    ("/api/kpi", "paln=Premium", "paln"),
    ("/api/kpi", "by=weather", "'form', 'plan', 'region', 'group', 'assignee' or 'reason'"),
    ("/api/kpi", "trend=day", "'week' or 'month'"),
    ("/api/kpi", "plan=" + "x" * 101, "at most 100 characters"),
    ("/api/ratings", "limit=201", "less than or equal to 200"),
    ("/api/ratings", "cursor=x", "is not one that a page named"),
    ("/api/ratings", "cursor=bm93fDE", "is not one that a page named"),
    ("/api/ratings", "score=great", "'good' or 'bad'"),
    ("/api/surveys", "form=x", "form"),
]


@on("sqlite")
async def test_what_is_refused_and_why(page: httpx.AsyncClient) -> None:
    for path, query, words in REFUSED:
        reply = await page.get(f"{path}?{query}", headers=BEARER)
        assert reply.status_code == 422, query
        assert words in reply.text, query
