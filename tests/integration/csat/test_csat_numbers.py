"""GET /api/kpi: one definition, behind a credential."""

from datetime import timedelta

import httpx
import pytest

from csat.answers.scoring import Answer, Score
from csat.asking import records
from csat.page.voting import vote
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat.conftest import API_TOKEN
from tests.integration.csat.ledger import on, sent_survey

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}


@on("sqlite")
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {API_TOKEN}",
        f"Bearer {API_TOKEN}x",
        f"Bearer {API_TOKEN[:-1]}",
        "Bearer é",
        API_TOKEN,
    ],
)
async def test_never_without_the_token(page: httpx.AsyncClient, authorization: str | None) -> None:
    headers = [] if authorization is None else [(b"Authorization", authorization.encode())]
    reply = await page.get("/api/kpi", headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_nothing_yet(page: httpx.AsyncClient) -> None:
    reply = await page.get("/api/kpi", headers=BEARER)
    assert reply.json() == {"good": 0, "bad": 0, "offered": 0, "kpi": None}


async def test_against_a_hand_calculated_set(
    page: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    solved_at = clock.now() - timedelta(days=1)
    votes: dict[str, Score | None] = {"1": "good", "2": "good", "3": "good", "4": "bad", "5": None, "6": None}
    for ticket_id, score in votes.items():
        survey = await sent_survey(store, ticket_id, solved_at)
        if score is not None:
            async with store.transaction() as tx:
                await vote(tx, survey, Answer(score))
    async with store.transaction() as tx:  # about to be asked is not asked
        await records.intend(tx, "7", solved_at, None)
    reply = await page.get("/api/kpi", headers=BEARER)
    assert reply.json() == {"good": 3, "bad": 1, "offered": 6, "kpi": 0.75}


async def test_a_changed_mind_counts_once(page: httpx.AsyncClient, store: Store, clock: ManualClock) -> None:
    survey = await sent_survey(store, "1", clock.now())
    for answer in (Answer("bad", "slow"), Answer("good"), Answer("good", "thanks")):
        async with store.transaction() as tx:
            await vote(tx, survey, answer)
    reply = await page.get("/api/kpi", headers=BEARER)
    assert reply.json() == {"good": 1, "bad": 0, "offered": 1, "kpi": 1.0}
