"""The pages of the login: the form, what it leads to, and the log-out, here and at the sibling services."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.web.auth.accounts import Account
from supportops.web.auth.guard import LOGIN, LoginNeeded, OperatorAuth, RoleNeeded, login_path, own_path
from supportops.web.auth.sessions import Sessions, new_holder
from supportops.web.edge import client_of
from supportops.web.forms import UnusableForm, read_form
from supportops.web.layout import PageLayout

LONGEST_FORM = 16_384
LONGEST_NAME = 100
ENDED = "/session-ended"
KNOWN_FOR = timedelta(days=180)
STALE = "The form was too old, or not ours. Please try again."
WRONG = {False: "That is not the password.", True: "There is no such user with that password."}
DONE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">'
    '<path d="M3 8l4 4 6-8" fill="none" stroke="#178035" stroke-width="2"/></svg>'
)

log = get_logger("supportops.login")
sparse = LimitedWarnings(log)


class LoginPages:
    """The login, from form to session and to its end."""

    def __init__(self, auth: OperatorAuth) -> None:
        self._auth = auth
        self._layout = PageLayout("supportops.web.auth", auth.site)

    def show(self, request: Request, next_path: str, problem: str = "", status: int = 200) -> Response:
        """The form; without a password of our own, what to do instead."""
        sessions = self._auth.sessions
        if sessions is None:
            return self.proxy_alone(request) if self._auth.is_open_to_somebody else self.closed(request)
        holder = request.cookies.get(self._form_cookie) or new_holder()
        values: dict[str, Any] = {
            "next_path": own_path(next_path, self._auth.site.start),
            "problem": problem,
            "form_token": sessions.form_token(holder),
            "have_names": self._auth.accounts.have_names,
        }
        page = self._layout.page(request, "login.html", status, **values)
        self._give(page, self._form_cookie, holder)
        return page

    def closed(self, request: Request) -> Response:
        """No login is configured: which settings open the pages."""
        return self._layout.page(request, "closed.html", 403)

    def proxy_alone(self, request: Request) -> Response:
        """The proxy in front logs in, and nobody else does."""
        return self._layout.page(request, "proxy.html", 403)

    def needs_login(self, error: LoginNeeded) -> Response:
        """To the form, and on from there."""
        return RedirectResponse(login_path(error.next_path, self._auth.site.start), status_code=303)

    def needs_role(self, request: Request, error: RoleNeeded) -> Response:
        """Known, but not allowed."""
        return self._layout.page(request, "role.html", 403, role=error.role)

    async def log_in(self, request: Request) -> Response:
        """Take the form: a session and the way on, or the form again with what was wrong."""
        sessions, start = self._auth.sessions, self._auth.site.start
        if sessions is None:
            return self.show(request, start)
        fields = await self._fields(request)
        next_path = own_path(fields.get("next", ""), start)
        if not self._is_ours(request, sessions, fields):
            return self._refuse(request, next_path, "form_refused", STALE, 400)
        if wait := await self._wait(request, sessions):
            problem = f"Too many attempts. Please wait {wait} seconds."
            reply = self._refuse(request, next_path, "limited", problem, 429)
            reply.headers["Retry-After"] = str(wait)
            return reply
        account = self._auth.accounts.get(fields.get("username", "").strip().lower()[:LONGEST_NAME])
        if not await self._auth.passwords.match(
            account.hashed if account else None, fields.get("password", "")
        ):
            words = WRONG[self._auth.accounts.have_names]
            return self._refuse(request, next_path, "wrong", words, 403)
        if account is None:
            return self.show(request, start)
        return await self._welcome(request, sessions, account, next_path)

    async def log_out(self, request: Request) -> Response:
        """End the session, if the form is of the one who asks; then the siblings are told, by the browser."""
        sessions, session = self._auth.sessions, await self._auth.session(request)
        if sessions is None or session is None:
            return RedirectResponse(LOGIN, status_code=303)
        fields = await self._fields(request)
        if not sessions.is_form_of(session.holder, fields.get("form_token", "")):
            return self._refuse(request, self._auth.site.start, "form_refused", STALE, 400)
        await self._auth.ended.end(session.holder)
        log.info("login.closed", operator=session.name)
        reply = self._farewell(request, sessions.say_ended(session.holder))
        reply.delete_cookie(
            self._auth.cookie,
            path="/",
            domain=self._auth.cookie_domain,
            secure=self._auth.site.https,
            httponly=True,
            samesite="lax",
        )
        return reply

    async def hear_ended(self, word: str) -> Response:
        """A sibling's log-out: the session is over here, too. A tick as a picture, for the page that asks."""
        sessions = self._auth.sessions
        holder = sessions.hear_ended(word) if sessions else None
        if holder is None:
            return Response("That word is not good.\n", 400, media_type="text/plain")
        await self._auth.ended.end(holder)
        # Pictures of one installation may be shown by its other hosts; all else stays forbidden.
        headers = {"Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(DONE, media_type="image/svg+xml", headers=headers)

    @property
    def _form_cookie(self) -> str:
        return f"{self._auth.host_cookie}-form"

    @property
    def _browser_cookie(self) -> str:
        return f"{self._auth.host_cookie}-browser"

    async def _fields(self, request: Request) -> dict[str, str]:
        """The form's fields; none for anything that our form does not send."""
        try:
            return await read_form(request, LONGEST_FORM)
        except UnusableForm:
            return {}

    def _is_ours(self, request: Request, sessions: Sessions, fields: dict[str, str]) -> bool:
        holder = request.cookies.get(self._form_cookie, "")
        return bool(holder) and sessions.is_form_of(holder, fields.get("form_token", ""))

    async def _wait(self, request: Request, sessions: Sessions) -> int:
        """Count the attempt. A browser in which somebody has logged in before counts for itself: strangers who use up
        all attempts there are keep nobody out who works here.
        """
        browser = sessions.browser(request.cookies.get(self._browser_cookie, ""))
        if browser is not None:
            return await self._auth.attempts.wait_before(f"browser:{browser}", alone=True)
        return await self._auth.attempts.wait_before(client_of(request))

    async def _welcome(
        self, request: Request, sessions: Sessions, account: Account, next_path: str
    ) -> Response:
        former = await self._auth.session(request)
        if former is not None:  # it ends here now, and at the siblings when they see the new one
            await self._auth.ended.end(former.holder)
        log.info("login.opened", operator=account.name, role=account.role, client=client_of(request))
        self._auth.metrics.count("dashboard_logins", outcome="welcomed")
        reply = RedirectResponse(next_path, status_code=303)
        cookie = sessions.open(account, former.holder if former else "")
        self._give(reply, self._auth.cookie, cookie, sessions.lifetime, shared=True)
        if sessions.browser(request.cookies.get(self._browser_cookie, "")) is None:
            self._give(reply, self._browser_cookie, sessions.know_browser(), KNOWN_FOR)
        return reply

    def _farewell(self, request: Request, word: str) -> Response:
        siblings = self._auth.site.siblings
        if not siblings:
            return RedirectResponse(LOGIN, status_code=303)
        pictures = [(each.title, f"{each.href}{ENDED}?word={quote(word, safe='')}") for each in siblings]
        origins = tuple(each.href for each in siblings)
        return self._layout.page(request, "logged_out.html", images=origins, pictures=pictures)

    def _refuse(self, request: Request, next_path: str, outcome: str, problem: str, status: int) -> Response:
        sparse.warning("login.refused", cause=outcome, client=client_of(request))
        self._auth.metrics.count("dashboard_logins", outcome=outcome)
        return self.show(request, next_path, problem, status)

    def _give(
        self,
        reply: Response,
        name: str,
        value: str,
        lifetime: timedelta | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """Set a cookie that no script and no other site's form gets; `shared`: all services' hosts do."""
        reply.set_cookie(
            name,
            value,
            max_age=None if lifetime is None else int(lifetime.total_seconds()),
            path="/",
            domain=self._auth.cookie_domain if shared else None,
            secure=self._auth.site.https,
            httponly=True,
            samesite="lax",
        )
