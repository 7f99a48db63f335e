"""The pages of the login: the form, what it leads to, and the log-out."""

from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from supportops.observability.logging import get_logger
from supportops.web.auth.guard import LOGIN, START, LoginNeeded, NoLogin, OperatorAuth, login_path, own_path
from supportops.web.auth.passwords import Password
from supportops.web.auth.sessions import Sessions, new_holder
from supportops.web.layout import PageLayout

FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 16_384
LOGOUT = "/logout"
STALE = "The form was too old, or not ours. Please try again."

log = get_logger("csat.login")


class LoginPages:
    """The login, from form to session."""

    def __init__(self, gate: OperatorAuth) -> None:
        self._gate = gate
        self._look = PageLayout("supportops.web.auth")

    def show(self, request: Request, next_path: str, problem: str = "", status: int = 200) -> Response:
        """The form; without a password of our own, what to do instead."""
        if not self._gate.is_open_to_somebody:
            return self.closed(request)
        if self._gate.sessions is None:
            return self._look.page(request, "proxy.html", 403)
        holder = request.cookies.get(self._form_cookie) or new_holder()
        token = self._gate.sessions.form_token(holder)
        values = {"next_path": own_path(next_path), "problem": problem, "form_token": token}
        page = self._look.page(request, "login.html", status, **values)
        self._give(page, self._form_cookie, holder)
        return page

    def closed(self, request: Request) -> Response:
        """No login is configured: which settings open the pages."""
        return self._look.page(request, "closed.html", 403)

    async def log_in(self, request: Request) -> Response:
        """Take the form: a session and the way on, or the form again with what was wrong."""
        sessions, password = self._gate.sessions, self._gate.password
        if sessions is None or password is None:
            return self.show(request, START)
        fields = await _read_form(request)
        next_path = own_path(fields.get("next", ""))
        if not self._is_ours(request, sessions, fields):
            return self._refuse(request, next_path, "form_refused", STALE, 400)
        return await self._try(request, sessions, password, fields.get("password", ""), next_path)

    async def log_out(self, request: Request) -> Response:
        """Forget the session, if the form is of the one who asks."""
        sessions = self._gate.sessions
        session = sessions.read(request.cookies.get(self._gate.cookie, "")) if sessions else None
        reply = RedirectResponse(LOGIN, status_code=303)
        if sessions is None or session is None:
            return reply
        fields = await _read_form(request)
        if not sessions.is_form_of(session.holder, fields.get("form_token", "")):
            return self._refuse(request, START, "form_refused", STALE, 400)
        log.info("login.closed")
        reply.delete_cookie(
            self._gate.cookie, path="/", secure=self._gate.secure, httponly=True, samesite="lax"
        )
        return reply

    @property
    def _form_cookie(self) -> str:
        return f"{self._gate.cookie}-form"

    def _is_ours(self, request: Request, sessions: Sessions, fields: dict[str, str]) -> bool:
        holder = request.cookies.get(self._form_cookie, "")
        return bool(holder) and sessions.is_form_of(holder, fields.get("form_token", ""))

    async def _try(
        self, request: Request, sessions: Sessions, password: Password, given: str, next_path: str
    ) -> Response:
        seconds = await self._gate.attempts.wait_before(_address(request))
        if seconds:
            words = f"Too many attempts. Please wait {seconds} seconds."
            reply = self._refuse(request, next_path, "limited", words, 429)
            reply.headers["Retry-After"] = str(seconds)
            return reply
        if not await password.matches(given):
            return self._refuse(request, next_path, "wrong", "That is not the password.", 403)
        log.info("login.opened", client=_address(request))
        self._gate.metrics.count("dashboard_logins", outcome="welcomed")
        welcome = RedirectResponse(next_path, status_code=303)
        lifetime = int(sessions.lifetime.total_seconds())
        self._give(welcome, self._gate.cookie, sessions.open(), lifetime)
        return welcome

    def _refuse(self, request: Request, next_path: str, outcome: str, problem: str, status: int) -> Response:
        log.warning("login.refused", reason=outcome, client=_address(request))
        self._gate.metrics.count("dashboard_logins", outcome=outcome)
        return self.show(request, next_path, problem, status)

    def _give(self, reply: Response, name: str, value: str, lifetime: int | None = None) -> None:
        reply.set_cookie(
            name,
            value,
            max_age=lifetime,
            path="/",
            secure=self._gate.secure,
            httponly=True,
            samesite="lax",
        )


def mount_login(app: FastAPI, gate: OperatorAuth) -> None:
    """The routes of the login, and what a closed gate answers."""
    pages = LoginPages(gate)

    @app.api_route(LOGIN, methods=["GET", "HEAD"], include_in_schema=False)
    async def show(request: Request) -> Response:
        return pages.show(request, request.query_params.get("next", START))

    @app.post(LOGIN, include_in_schema=False)
    async def log_in(request: Request) -> Response:
        return await pages.log_in(request)

    @app.post(LOGOUT, include_in_schema=False)
    async def log_out(request: Request) -> Response:
        return await pages.log_out(request)

    @app.exception_handler(NoLogin)
    async def closed(request: Request, _error: Exception) -> Response:
        return pages.closed(request)

    @app.exception_handler(LoginNeeded)
    async def unknown(_request: Request, error: LoginNeeded) -> Response:
        return RedirectResponse(login_path(error.next_path), status_code=303)


async def _read_form(request: Request) -> dict[str, str]:
    """The form's fields, the first value of each; none for anything that our form does not send."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return {}
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return {}
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
