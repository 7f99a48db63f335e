"""A migrated csat database on both kinds of server, and the parts that the tests put on it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from sandbox.clients import tls
from supportops.clock import ManualClock, SystemClock
from supportops.config import DatabaseSettings
from supportops.store import Store, open_store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.http_app import csat_app
from tests.integration.csat.sandbox import Outside, impatient_zendesk


@pytest.fixture
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    """A fresh csat database, migrated."""
    settings = DatabaseSettings(url=SecretStr(new_database("csat")), pool=4)
    async with open_store(settings, clock=clock) as opened:
        yield opened


@pytest.fixture
def rules() -> CsatPolicy:
    """The handbook's rules, with comments short enough to exceed."""
    return CsatPolicy(comment_limit=200)


@pytest.fixture
def tokens(clock: ManualClock) -> SurveyTokens:
    """Links valid for the handbook's 28 days."""
    return SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)


@pytest.fixture
async def page(store: Store, tokens: SurveyTokens, rules: CsatPolicy) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, more or less, in front of csat's HTTP side."""
    app = csat_app(store, tokens, rules)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as client:
        yield client


@pytest.fixture
async def outside(sandbox_url: str) -> AsyncIterator[Outside]:
    """People's side of a sandbox without a past."""
    async with httpx.AsyncClient(base_url=sandbox_url, verify=tls()) as control:
        yield Outside(control)


@pytest.fixture
async def zendesk(sandbox_url: str) -> AsyncIterator[Zendesk]:
    """csat's own client of that sandbox."""
    async with impatient_zendesk(sandbox_url) as client:
        yield client


@pytest.fixture
async def live_store(new_database: Callable[[str], str]) -> AsyncIterator[Store]:
    """A fresh csat database on the machine's clock, which the sandbox shares."""
    settings = DatabaseSettings(url=SecretStr(new_database("csat")), pool=4)
    async with open_store(settings, clock=SystemClock()) as opened:
        yield opened
