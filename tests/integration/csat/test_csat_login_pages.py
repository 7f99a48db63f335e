"""The login over HTTP: closed by default, one way in, nothing to forge, guess quickly, or be led astray by."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from supportops.clock import ManualClock
from supportops.observability.log_limit import LimitedWarnings
from supportops.store import Store
from supportops.web.auth import login_pages
from supportops.web.auth.passwords import hash_password
from supportops.web.auth.proxy import SECRET_HEADER
from supportops.web.auth.settings import OperatorsSettings
from tests.integration.csat import dashboard_app
from tests.integration.csat.assertions import on
from tests.integration.csat.dashboard_app import CHEAP, PASSWORD, browser_of, form_token, log_in
from tests.integration.csat.http_app import ADDRESS, API_TOKEN, auth_of

pytestmark = on("sqlite")

PAGES = ("/dashboard", "/dashboard.csv", "/tickets/17")
PROXY_SECRET = "the-proxy-knows-this"
BY_PROXY = {"X-Forwarded-User": "ann", SECRET_HEADER: PROXY_SECRET}


@pytest.fixture
def chosen() -> OperatorsSettings:
    """A password."""
    return dashboard_app.settings()


@pytest.fixture
async def browser(
    store: Store, clock: ManualClock, chosen: OperatorsSettings
) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(dashboard_app.application(store, clock, auth_of(store, chosen))) as client:
        yield client


async def is_in(browser: httpx.AsyncClient) -> bool:
    """Whether the dashboard opens."""
    return (await browser.get("/dashboard")).status_code == 200


async def test_nothing_is_open_while_nothing_is_configured(page: httpx.AsyncClient) -> None:
    for path in (*PAGES, "/login"):
        shown = await page.get(path, headers=BY_PROXY)
        assert (shown.status_code, "OPERATORS_PASSWORD_HASH" in shown.text) == (403, True), path
        assert "location" not in shown.headers
    for path in ("/login", "/logout"):
        assert (await page.post(path, data={"password": ""})).status_code in (303, 403)
    assert (await page.get("/dashboard", headers=BY_PROXY)).status_code == 403
    assert (await page.get("/api/kpi")).status_code == 401
    bearer = {"Authorization": f"Bearer {API_TOKEN}"}
    assert (await page.get("/api/kpi", headers=bearer)).status_code == 200


async def test_strangers_are_sent_to_the_login_and_on_from_there(browser: httpx.AsyncClient) -> None:
    for path in (*PAGES, "/dashboard?plan=Premium&since=2026-10-01"):
        for method in ("GET", "HEAD"):
            sent = await browser.request(method, path)
            assert sent.status_code == 303, path
            assert httpx.URL(sent.headers["location"]).params["next"] == path
    welcome = await log_in(browser, next_path="/dashboard?plan=Premium")
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/dashboard?plan=Premium")
    assert await is_in(browser)


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: httpx.AsyncClient) -> None:
    cookie = (await log_in(browser)).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "__Host-supportops-session"
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure", "Max-Age=43200"} <= set(rest.split("; "))
    assert "Domain" not in rest


async def test_over_plain_http_the_cookie_works_too(store: Store, clock: ManualClock) -> None:
    auth = auth_of(store, dashboard_app.settings(), "http://127.0.0.1:8001")
    async with browser_of(dashboard_app.application(store, clock, auth)) as browser:
        cookie = (await log_in(browser)).headers["set-cookie"]
        assert cookie.startswith("supportops-session=")
        assert "Secure" not in cookie
        assert await is_in(browser)


async def test_a_wrong_password_opens_nothing(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an earlier test of the last seconds caused is not counted.
    monkeypatch.setattr(login_pages, "sparse", LimitedWarnings(structlog.get_logger()))
    with capture_logs() as lines:
        for wrong in ("", "admin", PASSWORD[:-1], "x" * 12_000):
            reply = await log_in(browser, wrong)
            assert (reply.status_code, "That is not the password" in reply.text) == (403, True)
            assert wrong == "" or wrong not in reply.text
    assert not await is_in(browser)
    assert {(line["event"], line["cause"]) for line in lines} == {("login.refused", "wrong")}
    assert "admin" not in str(lines)


async def test_a_form_that_is_not_ours_opens_nothing(browser: httpx.AsyncClient) -> None:
    token = form_token((await browser.get("/login")).text)
    right = {"password": PASSWORD, "form_token": token}
    for fields in (
        {"password": PASSWORD},
        right | {"form_token": ""},
        right | {"form_token": token[:-3]},
        right | {"form_token": "made.up"},
    ):
        assert (await browser.post("/login", data=fields)).status_code == 400
    assert (await browser.post("/login", json=right)).status_code == 400
    assert (await browser.post("/login", data=right | {"padding": "x" * 20_000})).status_code == 400
    browser.cookies.clear()  # another browser, which never saw that form
    assert (await browser.post("/login", data=right)).status_code == 400
    assert not await is_in(browser)


async def test_nobody_is_led_elsewhere(browser: httpx.AsyncClient) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "/\t/e"):
        shown = await browser.get("/login", params={"next": elsewhere})
        assert "evil.example" not in shown.text
        assert (await log_in(browser, next_path=elsewhere)).headers["location"] == "/dashboard", elsewhere


async def test_guessing_is_slow(browser: httpx.AsyncClient) -> None:
    outcomes = [(await log_in(browser, f"guess number {n}")).status_code for n in range(10)]
    assert outcomes == [403] * 10
    late = await log_in(browser)  # even the right one has to wait now
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 60
    assert "Too many attempts" in late.text


async def test_logging_out_needs_the_form_of_that_session(browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    shown = await browser.get("/dashboard")
    cookie = browser.cookies["__Host-supportops-session"]
    for token in ("", "made.up", form_token((await browser.get("/login")).text)):
        assert (await browser.post("/logout", data={"form_token": token})).status_code == 400
    assert await is_in(browser)
    left = await browser.post("/logout", data={"form_token": form_token(shown.text)})
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert browser.cookies.get("__Host-supportops-session", "") != cookie
    assert not await is_in(browser)


async def test_sessions_end_by_time_and_with_the_password(
    browser: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    await log_in(browser)
    changed = dashboard_app.settings(password_hash=hash_password("another password", CHEAP))
    async with browser_of(dashboard_app.application(store, clock, auth_of(store, changed))) as other:
        other.cookies.update(browser.cookies)
        assert not await is_in(other)
    clock.advance(timedelta(hours=12) - timedelta(seconds=1))
    assert await is_in(browser)
    clock.advance(timedelta(seconds=1))
    assert not await is_in(browser)


async def test_the_api_takes_a_session_and_refuses_a_wrong_token(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/kpi")).status_code == 401
    await log_in(browser)
    assert (await browser.get("/api/kpi")).status_code == 200
    wrong = {"Authorization": "Bearer wrong-token-0123456789"}
    assert (await browser.get("/api/kpi", headers=wrong)).status_code == 401


async def test_a_proxy_opens_the_pages_with_its_secret_alone(store: Store, clock: ManualClock) -> None:
    chosen = OperatorsSettings.model_construct(
        proxy_header="X-Forwarded-User", proxy_secret=SecretStr(PROXY_SECRET)
    )
    async with browser_of(dashboard_app.application(store, clock, auth_of(store, chosen))) as browser:
        shown = await browser.get("/dashboard", headers=BY_PROXY)
        assert (shown.status_code, ">ann<" in shown.text, "Log out" in shown.text) == (200, True, False)
        assert (await browser.get("/api/kpi", headers=BY_PROXY)).status_code == 200
        for headers in ({"X-Forwarded-User": "ann"}, BY_PROXY | {SECRET_HEADER: "a guess of sixteen"}):
            assert (await browser.get("/dashboard", headers=headers)).status_code == 303
            assert (await browser.get("/api/kpi", headers=headers)).status_code == 401
        login = await browser.get("/login")
        assert (login.status_code, "through the proxy" in login.text) == (403, True)
        assert (await browser.post("/login", data={"password": PASSWORD})).status_code == 403
        hostile = BY_PROXY | {"X-Forwarded-User": "<script>alert(1)</script>"}
        assert "<script>" not in (await browser.get("/dashboard", headers=hostile)).text


async def test_every_answer_is_kept_to_its_reader(browser: httpx.AsyncClient) -> None:
    answers = [await browser.get("/login"), await browser.get("/dashboard"), await log_in(browser)]
    answers += [await browser.get(path) for path in ("/dashboard", "/dashboard.csv")]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
    assert ADDRESS not in answers[3].text
