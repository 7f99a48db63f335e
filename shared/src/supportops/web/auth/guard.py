"""The gate before the operators' pages: who is asking, and where to send those who may not come in."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from supportops.clock import Clock
from supportops.observability.metrics import Metrics, Recorder
from supportops.web.auth.passwords import Password
from supportops.web.auth.proxy import ProxyLogin
from supportops.web.auth.sessions import Sessions
from supportops.web.auth.settings import DashboardSettings
from supportops.web.throttle import Throttle

LOGIN = "/login"
START = "/dashboard"
LONGEST_NEXT = 2048

type Page = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Operator:
    """Somebody who may see the pages. `form_token`: for their log-out form; None where the proxy logs out."""

    name: str
    form_token: str | None = None


class NoLogin(Exception):
    """No way to log in is configured: the pages are closed for everybody."""


class LoginNeeded(Exception):
    """Somebody unknown asks for a page; `next_path` is where they wanted to go."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


class OperatorAuth:
    """Decides who may see a page (`page`) or the numbers (`api`); both are dependencies of FastAPI.

    `base_url`: csat's public address; cookies are marked Secure when it is https.
    """

    def __init__(
        self,
        settings: DashboardSettings,
        api_token: SecretStr,
        base_url: str,
        *,
        clock: Clock,
        metrics: Recorder,
    ) -> None:
        self._api_token = api_token.get_secret_value().encode()
        self.metrics = metrics
        self.secure = base_url.startswith("https://")
        self.attempts = Throttle(settings.login_attempts)
        self.password = Password(settings.password_hash) if settings.password_hash else None
        self.sessions = (
            Sessions(
                [key.get_secret_value() for key in settings.session_keys],
                self.password.fingerprint,
                settings.session_lifetime,
                clock,
            )
            if self.password
            else None
        )
        self._proxy = (
            ProxyLogin(settings.proxy_header, settings.proxy_secret, metrics)
            if settings.proxy_header and settings.proxy_secret
            else None
        )

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; `__Host-` makes browsers refuse one that another host has set."""
        return "__Host-csat-session" if self.secure else "csat-session"

    @property
    def is_open_to_somebody(self) -> bool:
        """Whether any way to log in is configured."""
        return self.password is not None or self._proxy is not None

    def visitor(self, request: Request) -> Operator | None:
        """Who is asking, by the proxy's word or by a session of ours."""
        user = self._proxy.user(request.headers) if self._proxy else None
        if user is not None:
            return Operator(user)
        session = self.sessions.read(request.cookies.get(self.cookie, "")) if self.sessions else None
        if session is None or self.sessions is None:
            return None
        return Operator("operator", self.sessions.form_token(session.holder))

    async def page(self, request: Request) -> Operator:
        """For pages: the visitor, also left in `request.state.visitor`. NoLogin, LoginNeeded."""
        if not self.is_open_to_somebody:
            raise NoLogin
        visitor = self.visitor(request)
        if visitor is None:
            raise LoginNeeded(_asked_for(request))
        request.state.visitor = visitor
        return visitor

    async def api(
        self,
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        """For the API: the bearer token, or whoever may see the pages. 401 for everybody else."""
        if given is not None and hmac.compare_digest(given.credentials.encode(), self._api_token):
            return
        if given is None and self.visitor(request) is not None:
            return
        raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def deny_all(api_token: SecretStr, clock: Clock) -> OperatorAuth:
    """A gate that opens no page to anybody, whatever the environment says; the API takes its token."""
    return OperatorAuth(DashboardSettings.model_construct(), api_token, "", clock=clock, metrics=Metrics())


def guarded_page(app: FastAPI, gate: OperatorAuth, path: str) -> Callable[[Page], Page]:
    """Decorator of a function that answers GET and HEAD of `path`, for those whom the gate lets in.

    @guarded_page(app, gate, "/tickets/{ticket_id}")
    async def show(request: Request, ticket_id: str) -> Response: ...
    """
    return app.api_route(
        path, methods=["GET", "HEAD"], include_in_schema=False, dependencies=[Depends(gate.page)]
    )


def own_path(wanted: str) -> str:
    """`wanted` when it is a path of this site, else the first page: nobody is sent elsewhere after the login.

    Browsers drop tabs and newlines and read a backslash as a slash, so `/\\t/` and `/\\` lead elsewhere, too.
    """
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    if plain and len(wanted) <= LONGEST_NEXT and wanted.startswith("/") and not wanted.startswith("//"):
        return START if wanted.partition("?")[0] in (LOGIN, "/logout") else wanted
    return START


def login_path(next_path: str) -> str:
    """The login page, which leads on to `next_path`."""
    return f"{LOGIN}?next={quote(own_path(next_path), safe='')}"


def _asked_for(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
