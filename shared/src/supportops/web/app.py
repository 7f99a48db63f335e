"""The HTTP side of a service for operators: the login, and a clear answer to everything that can go wrong.

app = operators_app("csat", auth, http)

@guarded_page(app, auth, "/figures")
async def figures(request: Request) -> Response: ...
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from supportops.config import HttpSettings
from supportops.store import is_outage
from supportops.web.auth.guard import LOGIN, LOGOUT, LoginNeeded, NoLogin, OperatorAuth, RoleNeeded
from supportops.web.auth.login_pages import ENDED, LoginPages
from supportops.web.edge import stand_at_the_edge
from supportops.web.layout import PageLayout

API = "/api/"
SAID = {
    400: "This cannot be read",
    404: "There is no such page",
    405: "This page cannot be asked like that",
}
AWAY = "the database is away; please try again in a minute"


def operators_app(
    auth: OperatorAuth, http: HttpSettings | None = None, *, style: str | None = None, **options: Any
) -> FastAPI:
    """An application with the login, whose other pages are still to be added.

    `http`: allowed hosts and proxies. `style`: of pages with a layout of their own. `options`: FastAPI's; there are no
    interactive API pages (they would load scripts from elsewhere) and no redirects to other spellings of an address
    (they would name the host that the request names).
    """
    options = {"docs_url": None, "redoc_url": None, "openapi_url": None, **options}
    app = FastAPI(title=auth.site.service, redirect_slashes=False, **options)
    _mount_login(app, auth)
    _answer_errors(app, PageLayout("supportops.web", auth.site))
    stand_at_the_edge(app, http, style=style, https=auth.site.https)
    return app


def _mount_login(app: FastAPI, auth: OperatorAuth) -> None:
    pages = LoginPages(auth)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def start() -> Response:
        return RedirectResponse(auth.site.start, status_code=303)

    @app.api_route(LOGIN, methods=["GET", "HEAD"], include_in_schema=False)
    async def show(request: Request) -> Response:
        return pages.show(request, request.query_params.get("next", auth.site.start))

    @app.post(LOGIN, include_in_schema=False)
    async def log_in(request: Request) -> Response:
        return await pages.log_in(request)

    @app.post(LOGOUT, include_in_schema=False)
    async def log_out(request: Request) -> Response:
        return await pages.log_out(request)

    @app.get(ENDED, include_in_schema=False)
    async def ended(word: str = "") -> Response:
        return await pages.hear_ended(word)

    @app.exception_handler(NoLogin)
    async def closed(request: Request, _error: Exception) -> Response:
        return pages.closed(request)

    @app.exception_handler(LoginNeeded)
    async def unknown(_request: Request, error: LoginNeeded) -> Response:
        return pages.needs_login(error)

    @app.exception_handler(RoleNeeded)
    async def forbidden(request: Request, error: RoleNeeded) -> Response:
        if request.url.path.startswith(API):
            return JSONResponse({"detail": f"the role {error.role} is needed"}, 403)
        return pages.needs_role(request, error)


def _answer_errors(app: FastAPI, layout: PageLayout) -> None:
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        """JSON for programs, a page for people."""
        if request.url.path.startswith(API):
            return await http_exception_handler(request, error)
        words = SAID.get(error.status_code, str(error.detail))
        page = layout.page(request, "error.html", error.status_code, words=words)
        page.headers.update(error.headers or {})
        return page

    away = away_answer(layout)
    app.add_exception_handler(SQLAlchemyError, away)
    app.add_exception_handler(OSError, away)


def away_answer(layout: PageLayout) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What is answered while our database is away; any other error is a bug, and raised again."""

    async def away(request: Request, error: Exception) -> Response:
        if not is_outage(error):
            raise error
        if request.url.path.startswith(API):
            reply: Response = JSONResponse({"detail": AWAY}, 503)
        else:
            reply = layout.page(request, "away.html", 503)
        reply.headers["Retry-After"] = "60"
        return reply

    return away
