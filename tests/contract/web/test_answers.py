"""What every page and API answers: the headers of each, and to hostile addresses a clear refusal, never a 500."""

import re
from typing import Any

import httpx
import pytest

from tests.contract.web.hostile_addresses import EVERYWHERE, HOSTILE
from tests.contract.web.installation import (
    APIS,
    SERVICES,
    STARTS,
    TOKEN,
    Installation,
    chosen,
    log_in,
    routes_of,
    setting_of,
    url,
)

sqlite_alone = pytest.mark.parametrize("dialect", ["sqlite"])
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = {
    "csat": ("/dashboard", "/dashboard.csv", "/tickets", "/tickets/17", "/s/a.b", "/api/openapi.json"),
    "ingest": ("/counts",),
    "notifier": ("/figures", "/notices", "/routing", "/tickets", "/tickets/17"),
    "sfdc-sync": (
        *(
            "/tickets",
            "/tickets/17",
            "/runs",
            "/runs/17",
            "/organizations",
            "/organizations/17",
            "/accounts/17",
        ),
        *("/integrity", "/integrity.csv", "/sharing", "/sharing/new", "/sharing/17"),
    ),
}
OPEN = {"/", "/login", "/logout", "/session-ended"}
OPEN_AT = {
    "csat": {"/s/", "/s/{token}", "/api/openapi.json"},
    "ingest": set[str](),
    "notifier": {"/slack/commands", "/slack/events", "/slack/interactions"},
    "sfdc-sync": set[str](),
}
ALWAYS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
END = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def assert_headers(reply: httpx.Response) -> None:
    """The snapshot of the headers of every answer."""
    assert {name: reply.headers.get(name) for name in ALWAYS} == ALWAYS, reply.url
    first, *rest = reply.headers["content-security-policy"].split("; ")
    assert first == "default-src 'none'"
    assert "; ".join(rest[-3:]) == END
    assert all(part.startswith("style-src 'sha256-") for part in rest[:-3])
    assert "set-cookie" not in reply.headers or "HttpOnly" in reply.headers["set-cookie"]
    assert "server" not in reply.headers


@sqlite_alone
@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_has_the_same_headers(installation: Installation, service: str) -> None:
    paths = ["/", "/login", "/nothing", "/api/nothing", "/s/", *PAGES[service], APIS.get(service, "/api/x")]
    async with installation.browser(chosen()) as browser:
        for path in (*paths, "/session-ended", "/login?next=%00"):
            assert_headers(await browser.get(url(service, path)))
        assert_headers(await browser.post(url(service, "/login"), data={"password": "x"}))
        assert_headers(await log_in(browser, service))
        for path in paths:
            reply = await browser.get(url(service, path))
            assert reply.status_code != 401
            assert_headers(reply)


@sqlite_alone
@pytest.mark.parametrize("service", SERVICES)
async def test_every_page_asks_who_comes(installation: Installation, service: str) -> None:
    pages = set()
    async with installation.browser(chosen()) as browser:
        for path, method in routes_of(await installation.app(service, chosen())):
            if path in OPEN | OPEN_AT[service]:
                continue
            filled = re.sub(r"{[a-z_]+}", "17", path)
            reply = await browser.request(method, url(service, filled))
            if path.startswith("/api/"):
                assert reply.status_code == 401, path
            else:
                pages.add(filled)
                assert reply.status_code == 303, (method, path)
                assert reply.headers["location"].startswith("/login?next="), path
    assert pages == {path for path in PAGES[service] if path not in OPEN_AT[service] and path[:3] != "/s/"}


@sqlite_alone
async def test_over_plain_http_there_is_no_word_of_https(installation: Installation) -> None:
    addresses: dict[str, Any] = {
        setting_of(service): f"http://{service}.ops.example.com" for service in SERVICES
    }
    async with installation.browser(chosen(**addresses)) as browser:
        for service in SERVICES:
            reply = await browser.get(url(service, "/login"))
            assert "strict-transport-security" not in reply.headers
            assert "Secure" not in reply.headers["set-cookie"]


@pytest.mark.parametrize("service", SERVICES)
async def test_hostile_addresses_get_a_clear_refusal(installation: Installation, service: str) -> None:
    roots = {STARTS[service], APIS.get(service, STARTS[service])}
    own = [f"{path}{end}" for path in roots for end in ("%00", "?x=%00", "/%00", "/x")]
    async with installation.browser(chosen()) as browser:
        await log_in(browser, service)
        for path in [*EVERYWHERE, *own, *HOSTILE.get(service, ())]:
            api = path.startswith("/api/")
            reply = await browser.get(url(service, path), headers=BEARER if api else {})
            assert reply.status_code < 500, path
            assert "set-cookie" not in reply.headers or "a=b" not in reply.headers["set-cookie"]
            if "%00" in path:
                assert reply.status_code == 400, path
            if reply.status_code >= 400:
                assert reply.text.strip(), path
                assert "\x00" not in reply.text
                if not api and "%00" not in path and not path.startswith("/session-ended"):
                    assert "<h1>" in reply.text, path
