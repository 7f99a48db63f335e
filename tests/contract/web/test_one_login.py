"""One login for the pages of all services: known at one, known at all; roles; log-outs that end copies."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import select

from sandbox.clients import tls
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store.tables import ENGINE
from supportops.web.app import operators_app
from supportops.web.auth import passwords
from supportops.web.auth.accounts import Account, write_users
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.auth.roles import ROLES
from supportops.web.site import site_of
from supportops.workers import engine_retention, janitor
from tests.contract.web.installation import (
    ADDRESSES,
    HASHED,
    SERVICES,
    SESSION,
    Installation,
    chosen,
    log_in,
    log_out,
    opens,
    pictures,
    url,
)

sqlite_alone = pytest.mark.parametrize("dialect", ["sqlite"])


async def test_who_logs_in_at_one_service_is_known_at_all(installation: Installation) -> None:
    replicas: dict[str, Any] = {}
    for service in SERVICES:
        async with installation.browser(chosen(login_attempts=600), replicas=replicas) as browser:
            assert not any([await opens(browser, each) for each in SERVICES])
            assert (await log_in(browser, service)).status_code == 303
            assert all([await opens(browser, each) for each in SERVICES])
            shown = (await browser.get(url(service))).text
            others = [address for name, address in ADDRESSES.items() if name != service]
            assert [f'href="{address}/"' in shown for address in others] == [True] * 3
            assert f'href="{ADDRESSES[service]}/"' not in shown
            for address in others:  # the navigation leads to a page
                assert (await browser.get(f"{address}/")).headers["location"].startswith("/")


async def test_a_log_out_ends_copies_of_the_cookie_at_all_services_and_replicas(
    installation: Installation,
) -> None:
    async with installation.browser(chosen()) as browser, installation.browser(chosen()) as thief:
        await log_in(browser, "csat")
        thief.cookies.set(SESSION, browser.cookies[SESSION], domain=".ops.example.com")
        assert all([await opens(thief, each) for each in SERVICES])
        farewell = await log_out(browser, "notifier")
        assert (farewell.status_code, "You are logged out" in farewell.text) == (200, True)
        assert SESSION not in browser.cookies
        assert not await opens(thief, "notifier")
        told = [await browser.get(address) for address in pictures(farewell.text)]
        assert [answer.headers["content-type"] for answer in told] == ["image/svg+xml"] * 3
        policy = farewell.headers["content-security-policy"]
        assert all(address in policy for name, address in ADDRESSES.items() if name != "notifier")
        assert not any([await opens(thief, each) for each in SERVICES])
    async with installation.browser(chosen()) as replica:  # started later, on the same databases
        replica.cookies.update(thief.cookies)
        assert not any([await opens(replica, each) for each in SERVICES])


@sqlite_alone
async def test_a_new_login_ends_the_session_that_the_browser_had_before(installation: Installation) -> None:
    async with installation.browser(chosen()) as browser, installation.browser(chosen()) as thief:
        await log_in(browser)
        thief.cookies.update(browser.cookies)
        assert await opens(thief, "csat")
        assert (await log_in(browser, password="not the password")).status_code == 403
        assert await opens(thief, "csat")
        await log_in(browser)
        assert (await opens(thief, "csat"), await opens(thief, "ingest")) == (False, True)
        assert await opens(browser, "ingest")  # which hears of it by the new session
        assert not await opens(thief, "ingest")


@sqlite_alone
async def test_a_service_that_is_away_at_a_log_out_is_said_not_to_be_reached(
    installation: Installation, clock: ManualClock
) -> None:
    async with installation.browser(chosen()) as browser, installation.browser(chosen()) as thief:
        await log_in(browser)
        thief.cookies.update(browser.cookies)
        installation.away.add("ingest")
        farewell = await log_out(browser, "csat")
        assert (
            'alt="not reached' in farewell.text
        )  # what a browser shows in place of a picture that it cannot get
        installation.away.clear()
        late = next(address for address in pictures(farewell.text) if "ingest" in address)
        assert (await opens(thief, "csat"), await opens(thief, "ingest")) == (False, True)
        clock.advance(timedelta(minutes=6))
        assert (await browser.get(late)).status_code == 400
        clock.advance(timedelta(hours=12))
        assert not await opens(thief, "ingest")


@sqlite_alone
async def test_nobody_else_ends_a_session(installation: Installation) -> None:
    async with installation.browser(chosen()) as browser:
        await log_in(browser)
        for word in ("", "x", "a.b", "%00", "é" * 2000):
            reply = await browser.get(url("csat", "/session-ended"), params={"word": word})
            assert reply.status_code == 400, word
            assert await opens(browser, "csat"), word


async def with_pages_for_each_role(installation: Installation, users: Path) -> FastAPI:
    """A service's HTTP side as another service would write it."""
    login, store = chosen(users), await installation.store("notifier")
    auth = OperatorAuth(login, site_of(login, "notifier", "/look"), store, Metrics())
    app = operators_app(auth)
    for role in ROLES:

        @guarded_page(app, auth, f"/{role}", role)
        @app.get(f"/api/{role}", dependencies=[Depends(auth.api(role))])
        async def done() -> str:
            return "done"

    return app


@sqlite_alone
async def test_a_role_opens_what_it_includes_and_no_more(installation: Installation, users: Path) -> None:
    transport = httpx.ASGITransport(await with_pages_for_each_role(installation, users))
    for reached, role in enumerate(ROLES, 1):
        mounts = {"https://another.ops.example.com": transport}
        async with (
            installation.browser(chosen(users)) as elsewhere,
            httpx.AsyncClient(mounts=mounts, verify=tls()) as browser,
        ):
            await log_in(elsewhere, "csat", f"of-{role}")
            browser.cookies.update(elsewhere.cookies)
            for kind in ("", "/api"):
                replies = [
                    await browser.get(f"https://another.ops.example.com{kind}/{each}") for each in ROLES
                ]
                assert [reply.status_code for reply in replies] == [200] * reached + [403] * (3 - reached)
            if role != "approve":
                assert (
                    f"yours is <strong>{role}</strong>"
                    in (await browser.get("https://another.ops.example.com/approve")).text
                )


@sqlite_alone
async def test_users_come_and_go_with_their_file(
    installation: Installation, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever is nobody has the right password even: that its comparison is as slow as anybody's is not asked here.
    monkeypatch.setattr(passwords, "_nobodys", lambda: HASHED)
    async with installation.browser(chosen(users)) as browser:
        shown = (await browser.get(url("csat", "/login"))).text
        assert 'name="username" autocomplete="username" autocapitalize' in shown
        for name in ("", "nobody", "of-look:", "operator"):
            assert (await log_in(browser, "csat", name)).status_code == 403
        assert (await log_in(browser, "csat", " Of-Operate ")).status_code == 303
        assert await opens(browser, "notifier")
        write_users(users, [Account("of-operate", "look", HASHED)])  # another role: to be shown anew
        assert not await opens(browser, "notifier")
        await log_in(browser, "csat", "of-operate")
        assert await opens(browser, "notifier")
        write_users(users, [])
        assert not any([await opens(browser, each) for each in SERVICES])
        os.unlink(users)
        assert not await opens(browser, "csat")


async def test_ended_sessions_and_throttles_are_forgotten_when_they_mean_nothing_more(
    installation: Installation, clock: ManualClock
) -> None:
    store = await installation.store("csat")
    async with installation.browser(chosen()) as browser:
        await log_in(browser)
        await log_out(browser, "csat")
    async with store.transaction() as tx:
        await tx.conn.execute(ENGINE.rates.insert().values(name="budget:zendesk", free_at=clock.now()))

    async def kept() -> tuple[int, list[str]]:
        async with store.reading() as conn:
            ended = (await conn.execute(select(ENGINE.ended_sessions))).all()
            return len(ended), sorted((await conn.execute(select(ENGINE.rates.c.name))).scalars())

    assert await kept() == (1, ["budget:zendesk", "throttle:login", "throttle:login:192.0.2.1"])
    clock.advance(timedelta(hours=13))
    clean = janitor(store, engine_retention(), Metrics())
    assert await clean.run_if_due()
    assert await kept() == (0, ["budget:zendesk"])
