"""A vote from the agents' own network counts, and is flagged wherever answers are shown."""

import csv
import io
from datetime import UTC, timedelta

import httpx
import pytest

from csat import tables
from csat.dashboard.csv_export import sheet
from csat.kpi.filters import View
from csat.kpi.row_queries import ratings
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from supportops.clock import ManualClock
from supportops.config import HttpSettings
from supportops.store import Store
from tests.integration.csat.assertions import on, rows_of, sent_survey, tallied
from tests.integration.csat.http_app import csat_app

AGENTS = CsatPolicy.model_validate({"page": {"agent_networks": ["203.0.113.0/24", "2001:db8:a::/48"]}})


@pytest.fixture
async def link(store: Store, clock: ManualClock, tokens: SurveyTokens) -> str:
    survey = await sent_survey(store, "17", clock.now() - timedelta(days=1))
    return f"/s/{tokens.issue(survey.survey_id)}"


async def vote(
    store: Store,
    tokens: SurveyTokens,
    link: str,
    address: str,
    http: HttpSettings | None = None,
    **fields: str,
) -> None:
    """Vote from an address; behind a proxy when `http` trusts one."""
    app = csat_app(store, tokens, AGENTS, http=http)
    client = ("10.0.0.9" if http else address, 4711)
    transport = httpx.ASGITransport(app=app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as page:
        headers = {"X-Forwarded-For": address}
        assert (await page.post(link, data=fields, headers=headers)).status_code == 303


async def flags(store: Store) -> list[bool]:
    """Of the answer that counts, and of each answer in its story."""
    rows = [*await rows_of(store, tables.ratings), *await rows_of(store, tables.answers)]
    return [bool(row.from_agents) for row in rows]


@on("sqlite")
async def test_a_vote_from_an_agents_network_counts_and_is_flagged(
    store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    addresses = {
        "203.0.113.77": True,
        "::ffff:203.0.113.77": True,
        "2001:db8:a:1::5": True,
        "203.0.114.1": False,
        "2001:db8:b::5": False,
        "testclient": False,
    }
    for number, address in enumerate(addresses):
        survey = await sent_survey(store, str(number), clock.now() - timedelta(days=1))
        await vote(store, tokens, f"/s/{tokens.issue(survey.survey_id)}", address, score="good")
    for table in (tables.ratings, tables.answers):
        flagged = {row.ticket_id: bool(row.from_agents) for row in await rows_of(store, table)}
        assert flagged == {str(number): is_one for number, is_one in enumerate(addresses.values())}


@pytest.mark.parametrize(("proxies", "flagged"), [(("10.0.0.9",), True), (("10.0.0.1",), False)])
@on("sqlite")
async def test_behind_a_proxy_only_one_that_is_trusted_says_where_a_vote_comes_from(
    store: Store, tokens: SurveyTokens, link: str, proxies: tuple[str, ...], flagged: bool
) -> None:
    http = HttpSettings.model_construct(trusted_proxies=proxies, allowed_hosts=())
    await vote(store, tokens, link, "203.0.113.77", http, score="good")
    assert await flags(store) == [flagged, flagged]


@pytest.mark.both_databases
async def test_lists_and_csv_show_it_until_the_customer_says_the_same(
    store: Store, tokens: SurveyTokens, link: str, clock: ManualClock
) -> None:
    day = clock.now().date()
    view = View(day - timedelta(days=7), day + timedelta(days=1))
    for address, flagged in (("203.0.113.77", True), ("203.0.113.78", True), ("198.51.100.3", False)):
        await vote(store, tokens, link, address, score="bad", comment="slow", reason="Some other reason")
        await tallied(store, UTC)
        async with store.reading() as conn:
            assert [row.from_agents for row in await ratings(conn, view, 10)] == [flagged]
            text = (await sheet(conn, view, "week", "comments", AGENTS.numbers)).text
        (line,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
        assert line["from_agents"] == ("yes" if flagged else "")
    assert await flags(store) == [False, False]
