"""csat's HTTP side, put together: the survey page for everybody, the numbers for those who may see them."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from csat.dashboard.routes import Dashboard, mount_dashboard
from csat.kpi.api import mount_api
from csat.operations.ticket_page import TicketPage, mount_ticket_page
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.errors import Refused
from csat.survey_page.rendering import SECURITY_HEADERS
from csat.survey_page.routes import SurveyPage, mount_survey_page
from supportops.store import Store, is_outage
from supportops.web.auth.guard import OperatorAuth, deny_all
from supportops.web.auth.login_pages import mount_login
from supportops.web.layout import PageLayout


def create_app(
    store: Store,
    tokens: SurveyTokens,
    policy: CsatPolicy,
    api_token: SecretStr,
    gate: OperatorAuth | None = None,
    survey_page: SurveyPage | None = None,
) -> FastAPI:
    """The application; without a gate its pages for operators are closed for everybody.

    There are no interactive API pages: they would load scripts from elsewhere.
    """
    app = FastAPI(title="csat", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    page = survey_page or SurveyPage(store, tokens, policy)
    mount_survey_page(app, page)
    gate = gate or deny_all(api_token, store.clock)
    mount_api(app, store, policy.numbers, gate.api)
    mount_login(app, gate)
    operators_look = PageLayout("supportops.web.auth")
    mount_dashboard(app, gate, Dashboard(store, policy.numbers))
    mount_ticket_page(app, gate, TicketPage(store))

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(OSError)
    async def away(request: Request, error: Exception) -> Response:
        """Our database is away: the vote is not taken, and its writer is told so. Anything else is a bug."""
        if not is_outage(error):
            raise error
        if request.url.path.startswith("/api/"):
            reply = away_in_json()
        elif request.url.path.startswith("/s/"):
            reply = page.explain(AWAY, request)
        else:
            reply = operators_look.page(request, "away.html", AWAY.status)
        reply.headers["Retry-After"] = "60"
        return reply

    app.middleware("http")(_with_security_headers)
    return app


AWAY = Refused(503, "away")


def away_in_json() -> Response:
    """The same for programs."""
    return JSONResponse({"detail": "the database is away; please try again in a minute"}, 503)


async def _with_security_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)  # pages with a style of their own bring their own policy
    return response
