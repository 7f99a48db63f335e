"""csat's HTTP side, put together: the survey page for everybody, the numbers for those who may see them."""

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from csat.dashboard.routes import Dashboard, mount_dashboard
from csat.dashboard.urls import PAGE
from csat.kpi.api import mount_api
from csat.operations.ticket_page import STORY
from csat.policy.csat import CsatPolicy
from csat.settings import WebSettings
from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import Languages
from csat.survey_page.errors import Refused
from csat.survey_page.rendering import STYLE
from csat.survey_page.routes import SurveyPage, mount_survey_page
from supportops.config import HttpSettings
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts
from supportops.store import Store, is_outage
from supportops.web.app import away_answer, operators_app
from supportops.web.auth.guard import OperatorAuth
from supportops.web.layout import PageLayout
from supportops.web.site import Link, site_of
from supportops.web.story_page import SEARCH, StoryPage, mount_story

START = PAGE
PAGES = (Link("Find a ticket", SEARCH),)
SURVEYS = "/s/"


def http_server(
    settings: WebSettings, parts: Parts, policy: CsatPolicy, tokens: SurveyTokens, texts: Languages
) -> HttpServer:
    """What serves the survey page, the API and the operators' pages."""
    site = site_of(settings.operators, "csat", START, PAGES, settings.survey.base_url)
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics, settings.survey.api_token)
    page = SurveyPage(parts.store, tokens, policy, texts, parts.metrics)
    app = create_app(parts.store, policy, auth, page, settings.http)
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics, "csat-web")


def create_app(
    store: Store,
    policy: CsatPolicy,
    auth: OperatorAuth,
    survey_page: SurveyPage,
    http: HttpSettings | None = None,
) -> FastAPI:
    """The application; the schema of its API is for everybody."""
    app = operators_app(auth, http, style=STYLE, openapi_url="/api/openapi.json")
    mount_survey_page(app, survey_page)
    mount_api(app, store, policy.numbers, auth.api())
    mount_dashboard(app, auth, Dashboard(store, policy.numbers, auth.site))
    mount_story(app, auth, StoryPage(store, auth.site, STORY))
    _answer_outages(app, auth, survey_page)
    return app


def _answer_outages(app: FastAPI, auth: OperatorAuth, survey_page: SurveyPage) -> None:
    elsewhere = away_answer(PageLayout("supportops.web", auth.site))

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(OSError)
    async def away(request: Request, error: Exception) -> Response:
        """A vote that is not taken is said to be so in its writer's language."""
        if not request.url.path.startswith(SURVEYS) or not is_outage(error):
            return await elsewhere(request, error)
        reply = survey_page.explain(Refused(503, "away"), request)
        reply.headers["Retry-After"] = "60"
        return reply
