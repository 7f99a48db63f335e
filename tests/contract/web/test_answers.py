"""What every page and API answers: the headers of each, and to hostile addresses a clear refusal, never a 500."""

import base64
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.web.installation import APIS, SERVICES, STARTS, TOKEN, Installation, chosen, log_in, url

sqlite_alone = pytest.mark.parametrize("dialect", ["sqlite"])
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = {
    "csat": ("/dashboard", "/dashboard.csv", "/tickets", "/tickets/17", "/s/a.b", "/api/openapi.json"),
    "ingest": ("/counts",),
    "notifier": ("/figures", "/notices", "/routing", "/tickets", "/tickets/17"),
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
    paths = ["/", "/login", "/nothing", "/api/nothing", "/s/", APIS[service], *PAGES[service]]
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
async def test_over_plain_http_there_is_no_word_of_https(installation: Installation) -> None:
    addresses: dict[str, Any] = {
        f"{service}_url": f"http://{service}.ops.example.com" for service in SERVICES
    }
    async with installation.browser(chosen(**addresses)) as browser:
        for service in SERVICES:
            reply = await browser.get(url(service, "/login"))
            assert "strict-transport-security" not in reply.headers
            assert "Secure" not in reply.headers["set-cookie"]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


MOMENTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-01-01T00:00:00",
    "0000-01-01",
    "now",
    "",
)
CURSORS = [cursor(f"{moment}|{key}") for moment in MOMENTS for key in ("17", "", "\x00", "x" * 200)]
IDS = (
    "0",
    "99999999999999999999",
    "9" * 30,
    "-1",
    "1e9",
    "%00",
    "17%00",
    "%2e%2e",
    "é",
    "%ff",
    "١٢",
    "x" * 3000,
)
DAYS = ("0001-01-01", "9999-12-31", "2026-02-30", "%00", "2026-01-01%00", "-1", "1" * 500)
TEXTS = (
    "%00",
    "a%00b",
    "%ed%a0%80",
    "%ff",
    "%e2%80%ae",
    "'%22%3E%3Cscript%3E",
    "x" * 5000,
    "%0d%0aSet-Cookie:%20a=b",
)
LIMITS = ("0", "-1", "9" * 30, "1.5", "%00")


def asked(paths: tuple[str, ...], names: tuple[str, ...], values: tuple[str, ...]) -> list[str]:
    """Each path with each name and value as its query."""
    return [f"{path}?{name}={value}" for path in paths for name in names for value in values]


PAGED = ("/api/ratings", "/api/surveys")
CSAT = [
    *(f"/tickets/{each}" for each in IDS),
    *(f"/s/{each}" for each in TEXTS),
    *asked(("/tickets",), ("id",), IDS),
    *asked(("/dashboard", "/dashboard.csv", "/api/kpi", "/api/surveys"), ("since", "until"), DAYS),
    *asked(("/dashboard", "/api/ratings"), ("form", "reason", "%00"), TEXTS),
    *asked(("/dashboard.csv",), ("table",), TEXTS),
    *asked(("/api/surveys",), ("rule",), TEXTS),
    *asked(PAGED, ("cursor",), (*map(quote, CURSORS), "%", "é", "====")),
    *asked(PAGED, ("limit",), LIMITS),
]
ENDS = ("%00", "?next=%00", "?word=%00", "?x=" + "y" * 3000)
EVERYWHERE = [f"{path}{end}" for path in ("/login", "/", "/nothing", "/session-ended") for end in ENDS]


@pytest.mark.parametrize("service", SERVICES)
async def test_hostile_addresses_get_a_clear_refusal(installation: Installation, service: str) -> None:
    own = [
        f"{path}{end}" for path in (STARTS[service], APIS[service]) for end in ("%00", "?x=%00", "/%00", "/x")
    ]
    async with installation.browser(chosen()) as browser:
        await log_in(browser, service)
        for path in [*EVERYWHERE, *own, *(CSAT if service == "csat" else [])]:
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
