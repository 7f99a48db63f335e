"""Who may come in: the guard of pages and of APIs, by role, and where those go who may not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from supportops.observability.metrics import Metrics, Recorder
from supportops.store import Store
from supportops.web.auth.accounts import Accounts
from supportops.web.auth.bearer import GUESSES, BearerToken
from supportops.web.auth.ended import EndedSessions
from supportops.web.auth.passwords import Passwords
from supportops.web.auth.proxy import ProxyLogin
from supportops.web.auth.roles import Role, includes
from supportops.web.auth.sessions import Session, Sessions
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.edge import client_of
from supportops.web.site import Site
from supportops.web.throttle import Throttle

LOGIN = "/login"
LOGOUT = "/logout"
LONGEST_NEXT = 2048
STRANGERS = 6  # times what one address may try: against guessing from many addresses

type Page = Callable[..., Awaitable[Any]]
type Guard = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Operator:
    """Somebody who may see the pages. `form_token`: for the forms of their session; None where the proxy logs in."""

    name: str
    role: Role
    form_token: str | None = None


class NoLogin(Exception):
    """No way to log in is configured: the pages are closed for everybody."""


class LoginNeeded(Exception):
    """Somebody unknown asks for a page; `next_path` is where they wanted to go."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


class RoleNeeded(Exception):
    """Somebody known asks for what their role does not include."""

    def __init__(self, role: Role) -> None:
        super().__init__(role)
        self.role = role


class OperatorAuth:
    """Decides who may see a page (`page`) or read an API (`api`); what both return are dependencies of FastAPI.

    All services of an installation have the same settings, and so know each other's sessions. `api_token`: opens this
    service's API to programs that look.
    """

    def __init__(
        self,
        settings: OperatorsSettings,
        site: Site,
        store: Store,
        metrics: Recorder,
        api_token: SecretStr | None = None,
    ) -> None:
        self.site = site
        self.metrics = metrics
        self.cookie_domain = settings.cookie_domain
        self.accounts = Accounts(
            settings.password_hash.get_secret_value() if settings.password_hash else None, settings.users_file
        )
        self.passwords = Passwords()
        keys = [key.get_secret_value() for key in settings.session_keys]
        self.sessions = Sessions(keys, settings.session_lifetime, store.clock) if keys else None
        self.ended = EndedSessions(store, settings.session_lifetime)
        most = settings.login_attempts
        self.attempts = Throttle(store, "login", most, most * STRANGERS)
        self._token = BearerToken(api_token, Throttle(store, "token", GUESSES))
        self._proxy = ProxyLogin(settings, metrics)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the prefixes make browsers refuse one that came otherwise than ours."""
        prefix = "" if not self.site.https else "__Secure-" if self.cookie_domain else "__Host-"
        return f"{prefix}supportops-session"

    @property
    def host_cookie(self) -> str:
        """Beginning of the names of cookies that are this host's alone."""
        return f"{'__Host-' if self.site.https else ''}supportops"

    @property
    def is_open_to_somebody(self) -> bool:
        """Whether any way to log in is configured."""
        return self.sessions is not None or self._proxy.trusts_somebody

    async def session(self, request: Request) -> Session | None:
        """The session that the request brings: ours, of somebody who may still log in, and not over."""
        found = self.sessions.read(request.cookies.get(self.cookie, "")) if self.sessions else None
        if found is None:
            return None
        account = self.accounts.get(found.name)
        if account is None or account.fingerprint != found.fingerprint:
            return None
        return None if await self.ended.has(found.holder, found.replaced) else found

    async def operator(self, request: Request) -> Operator | None:
        """Who is asking, by the proxy's word or by a session. RoleNeeded for whom the proxy gives no role."""
        user = self._proxy.user(request.headers)
        if user is not None:
            name, role = user
            if role is None:
                raise RoleNeeded("look")
            return Operator(name, role)
        session = await self.session(request)
        if session is None or self.sessions is None:
            return None
        return Operator(session.name, session.role, self.sessions.form_token(session.holder))

    def page(self, role: Role = "look") -> Guard:
        """The guard of a page: gives the operator, also left in `request.state.operator`.

        It raises NoLogin, LoginNeeded or RoleNeeded, which `mount_login` answers.
        """

        async def guard(request: Request) -> Operator:
            if not self.is_open_to_somebody:
                raise NoLogin
            operator = await self.operator(request)
            if operator is None:
                raise LoginNeeded(_asked_for(request))
            request.state.operator = operator
            if not includes(operator.role, role):
                raise RoleNeeded(role)
            return operator

        return guard

    def api(self, role: Role = "look") -> Guard:
        """The guard of an API: the bearer token (it looks, no more), or an operator. HTTPException 401, 403, 429."""

        async def guard(
            request: Request,
            given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
        ) -> None:
            if given is not None and role == "look":
                return await self._token.take(given.credentials, client_of(request))
            operator = await self.operator(request) if given is None else None
            if operator is None:
                raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
            if not includes(operator.role, role):
                raise RoleNeeded(role)
            request.state.operator = operator
            return None

        return guard


def deny_all(site: Site, store: Store, api_token: SecretStr | None = None) -> OperatorAuth:
    """Opens no page to anybody, whatever the environment says; the API takes its token."""
    return OperatorAuth(OperatorsSettings.model_construct(), site, store, Metrics(), api_token)


def guarded_page(app: FastAPI, auth: OperatorAuth, path: str, role: Role = "look") -> Callable[[Page], Page]:
    """Decorator of a function that answers GET and HEAD of `path`, for those whose role includes `role`.

    @guarded_page(app, auth, "/tickets/{ticket_id}")
    async def show(request: Request, ticket_id: str) -> Response: ...
    """
    guard = Depends(auth.page(role))
    return app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False, dependencies=[guard])


def own_path(wanted: str, start: str) -> str:
    """`wanted` when it is a path of this site, else `start`: nobody is sent elsewhere after the login.

    Browsers drop tabs and newlines and read a backslash as a slash, so `/\\t/` and `/\\` lead elsewhere, too.
    """
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    if plain and len(wanted) <= LONGEST_NEXT and wanted.startswith("/") and not wanted.startswith("//"):
        return start if wanted.partition("?")[0] in (LOGIN, LOGOUT) else wanted
    return start


def login_path(next_path: str, start: str) -> str:
    """The login page, which leads on to `next_path`."""
    return f"{LOGIN}?next={quote(own_path(next_path, start), safe='')}"


def _asked_for(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
