"""A migrated csat database on both kinds of server, and the parts that the tests put on it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from csat.endpoints import create_app
from csat.settings import CsatRules
from csat.tokens import SurveyTokens
from supportops.clock import ManualClock
from supportops.settings import DatabaseSettings
from supportops.store import Store, open_store

API_TOKEN = "operators-only-0123456789"


@pytest.fixture
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    """A fresh csat database, migrated."""
    settings = DatabaseSettings(url=SecretStr(new_database("csat")), pool=4)
    async with open_store(settings, clock=clock) as opened:
        yield opened


@pytest.fixture
def rules() -> CsatRules:
    """The handbook's rules, with comments short enough to exceed."""
    return CsatRules(comment_limit=200)


@pytest.fixture
def tokens(clock: ManualClock) -> SurveyTokens:
    """Links valid for the handbook's 28 days."""
    return SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)


@pytest.fixture
async def page(store: Store, tokens: SurveyTokens, rules: CsatRules) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, more or less, in front of csat's HTTP side."""
    app = create_app(store, tokens, rules, SecretStr(API_TOKEN))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://survey.example.com") as client:
        yield client
