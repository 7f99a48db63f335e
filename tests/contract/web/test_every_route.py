"""Every route of every service, as the applications themselves name them, for everybody who might come.

A new route is covered by itself: what is not named as open asks who comes, shows itself to whoever may look unless it
is named as more, and takes no form that it did not give out.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from supportops.web.auth.roles import ROLES, Role, includes, role_of
from tests.contract.web.installation import (
    SERVICES,
    Installation,
    chosen,
    form_token,
    log_in,
    log_out,
    routes_of,
    url,
)
from tests.contract.web.test_answers import OPEN, OPEN_AT

sqlite_alone = pytest.mark.parametrize("dialect", ["sqlite"])
NEEDS: dict[str, dict[tuple[str, str], Role]] = {
    "sfdc-sync": {
        ("GET", "/sharing/new"): "operate",
        ("HEAD", "/sharing/new"): "operate",
        ("POST", "/sharing/new"): "operate",
        ("POST", "/sharing/{number}"): "operate",
    }
}
"""What a route needs; all others need `look`, and none of these may change anything."""
STRANGERS = ("nobody", "ended", "another installation", "a name in the cookie")
FORGED = ("", "x", "of another session", "of the login")


@asynccontextmanager
async def visitors(
    installation: Installation, service: str, users: Path
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Browsers of everybody, by who they are."""
    login, other = chosen(users), chosen(users, session_keys="the-key-of-quite-another-installation")
    replicas: dict[str, Any] = {}
    async with AsyncExitStack() as opened:

        async def browser() -> httpx.AsyncClient:
            return await opened.enter_async_context(installation.browser(login, replicas=replicas))

        found = {who: await browser() for who in (*STRANGERS, *ROLES)}
        for role in ROLES:
            assert (await log_in(found[role], service, f"of-{role}")).status_code == 303
        elsewhere = await opened.enter_async_context(installation.browser(other))
        assert (await log_in(elsewhere, service, "of-approve")).status_code == 303
        found["another installation"].cookies.update(elsewhere.cookies)
        await log_in(found["ended"], service, "of-approve")
        copy = dict(found["ended"].cookies)
        await log_out(found["ended"], service)
        found["ended"].cookies.update(copy)
        unsigned = dict.fromkeys(copy, "of-approve")
        found["a name in the cookie"].cookies.update(unsigned)
        yield found


async def routes(installation: Installation, service: str) -> list[tuple[str, str, str]]:
    """Method, path as the application names it, and the same with its places filled in."""
    found = [
        (method, path, re.sub(r"{[a-z_]+}", "17", path))
        for path, method in routes_of(await installation.app(service, chosen()))
        if path not in OPEN | OPEN_AT[service]
    ]
    assert found
    assert set(NEEDS.get(service, {})) <= {(method, path) for method, path, _ in found}
    return found


@sqlite_alone
@pytest.mark.parametrize("service", SERVICES)
async def test_who_may_open_what(installation: Installation, service: str, users: Path) -> None:
    needs = NEEDS.get(service, {})
    async with visitors(installation, service, users) as coming:
        for method, path, filled in await routes(installation, service):
            needed: Role = needs.get((method, path), "look")
            assert method in ("GET", "HEAD") or needed != "look", (method, path)
            for who, browser in coming.items():
                reply = await browser.request(method, url(service, filled))
                about = (who, method, path, reply.status_code)
                if who in STRANGERS:
                    assert reply.status_code == (401 if path.startswith("/api/") else 303), about
                    assert path.startswith("/api/") or reply.headers["location"].startswith("/login?"), about
                elif not includes(role_of(who) or "look", needed):
                    assert reply.status_code == 403, about
                elif method == "POST":  # without a form
                    assert reply.status_code in (400, 403), about
                else:
                    assert reply.status_code in (200, 404, 422), about


@sqlite_alone
@pytest.mark.parametrize("service", SERVICES)
async def test_no_form_is_taken_that_was_not_given_out(
    installation: Installation, service: str, users: Path
) -> None:
    posts = [filled for method, _, filled in await routes(installation, service) if method == "POST"]
    async with visitors(installation, service, users) as coming:
        mine, another = coming["approve"], coming["operate"]
        given = form_token((await another.get(url(service))).text)
        of_login = form_token((await coming["nobody"].get(url(service, "/login"))).text)
        tokens = dict(zip(FORGED, ("", "x", given, of_login), strict=True))
        for path in [*posts, "/logout"]:
            for kind, token in tokens.items():
                reply = await mine.post(url(service, path), data={"form_token": token, "action": "approve"})
                assert reply.status_code in (400, 403), (path, kind, reply.status_code)
        assert (await mine.get(url(service))).status_code == 200  # nobody logged them out
