"""csat's HTTP side as the tests put it together."""

from fastapi import FastAPI
from pydantic import SecretStr

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.routes import SurveyPage
from csat.web import PAGES, START, create_app
from supportops.config import HttpSettings
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, deny_all
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of

API_TOKEN = "operators-only-0123456789"
ADDRESS = "https://survey.example.com"


def auth_of(store: Store, chosen: OperatorsSettings, address: str = ADDRESS) -> OperatorAuth:
    """The guard with these settings, at this public address."""
    site = site_of(chosen, "csat", START, PAGES, address)
    return OperatorAuth(chosen, site, store, Metrics(), SecretStr(API_TOKEN))


def csat_app(
    store: Store,
    tokens: SurveyTokens,
    rules: CsatPolicy,
    auth: OperatorAuth | None = None,
    page: SurveyPage | None = None,
    http: HttpSettings | None = None,
) -> FastAPI:
    """The application; nobody may log in, unless something else is said."""
    site = site_of(OperatorsSettings.model_construct(), "csat", START, PAGES, ADDRESS)
    guard = auth or deny_all(site, store, SecretStr(API_TOKEN))
    return create_app(store, rules, guard, page or SurveyPage(store, tokens, rules), http)
