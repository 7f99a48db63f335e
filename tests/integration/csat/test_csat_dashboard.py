"""The dashboard over HTTP, on both databases: what it shows, its filters, its CSV, and that text stays text."""

import base64
import csv
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr

from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.store import Store, open_store
from tests.integration.csat import dashboard_app
from tests.integration.csat.assertions import note, on, tallied
from tests.integration.csat.dashboard_app import browser_of, log_in, rated_ticket
from tests.integration.csat.http_app import auth_of

NAMES = ("form", "plan", "region", "group_name", "assignee", "reason")
HOSTILE = [
    "<script>alert(1)</script>",
    "</blockquote></svg><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }} {% raw %}",
    "</style><style>*{display:none}",
    "url(https://evil.example/x) ; } body { background: red",
    "\u202eevitartsinimdA \u2066 text",
    "a\x0bb\x00c".replace("\x00", ""),
    '=HYPERLINK("https://evil.example")',
]


@pytest.fixture
async def manager(store: Store, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has logged in."""
    auth = auth_of(store, dashboard_app.settings())
    async with browser_of(dashboard_app.application(store, clock, auth)) as browser:
        assert (await log_in(browser)).status_code == 303
        yield browser


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def lines_of(reply: httpx.Response) -> list[dict[str, str]]:
    """The lines of a CSV by column."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(reply.text.removeprefix("\ufeff"))))


async def test_before_anybody_answered(manager: httpx.AsyncClient) -> None:
    page = (await manager.get("/dashboard")).text
    for words in ("Nobody has answered yet", "Nobody has been asked yet", "Nothing has been decided yet"):
        assert words in page
    assert "Nobody has left a comment yet" in page
    for table in ("totals", "trend", "form", "reason", "comments"):
        lines_of(await manager.get("/dashboard.csv", params={"table": table}))


@pytest.mark.both_databases
async def test_the_figures_of_a_hand_calculated_set(
    manager: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    at = clock.now() - timedelta(days=3)
    for number in range(10):
        await note(store, str(number), solved_at=at, decided=True, asked_at=at if number < 8 else None)
    for number, score in enumerate(("good", "good", "good", "bad")):
        await note(store, str(number), score=score, rated_at=at)
    await tallied(store, UTC)
    page = (await manager.get("/dashboard")).text
    for words in ("75.0 %", "3 of 4: good of all answers", "30.1 \N{EN DASH} 95.4 %"):  # Wilson of 3 of 4
        assert words in page
    for words in ("50.0 %", "4 of 8: answered of asked", "80.0 %", "8 of 10: asked of decided"):
        assert words in page
    [line] = lines_of(await manager.get("/dashboard.csv"))
    assert (line["solved"], line["good"], line["bad"], line["kpi"]) == ("10", "3", "1", "0.75")


async def test_what_is_shown_is_what_the_csv_holds(
    manager: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    await dashboard_app.quarter(store, clock, tickets=300)
    total = await _sums(manager, {"table": "totals"})
    for table in ("trend", "form", "plan", "region", "assignee", "group", "reason"):
        for step in ("week", "month"):
            assert await _sums(manager, {"table": table, "step": step}) == total, table
    chosen = {"plan": "Premium", "region": "EMEA"}
    narrowed = await _sums(manager, {"table": "totals", **chosen})
    assert narrowed < total
    assert await _sums(manager, {"table": "assignee", **chosen}) == narrowed
    page = (await manager.get("/dashboard", params=chosen)).text
    assert f"<dt>Solved</dt><dd>{narrowed[0]:,}</dd>" in page


async def _sums(manager: httpx.AsyncClient, params: dict[str, str]) -> list[int]:
    lines = lines_of(await manager.get("/dashboard.csv", params=params))
    return [sum(int(line[name]) for line in lines) for name in ("solved", "decided", "asked", "good", "bad")]


async def test_a_view_is_its_address(manager: httpx.AsyncClient, store: Store, clock: ManualClock) -> None:
    await dashboard_app.quarter(store, clock, tickets=100)
    query = urlencode({"since": "2026-09-01", "until": "2026-10-01", "plan": "(none)", "form": "GitLab.com"})
    page = (await manager.get(f"/dashboard?{query}")).text
    assert "1 Sep 2026 to 30 Sep 2026" in page
    assert '<option value="(none)" selected>' in page
    off = "/dashboard?since=2026-09-01&amp;until=2026-10-01&amp;form=GitLab.com&amp;step=week"
    assert f'<a href="{off}"><span class="muted">Plan:</span> (none)' in page
    by_month = (await manager.get(f"/dashboard?{query}&step=month")).text
    assert "Sep 2026</th>" in by_month


@on("sqlite")
async def test_what_is_no_view_says_why(manager: httpx.AsyncClient) -> None:
    for query in (
        "plam=Premium",
        "since=yesterday",
        "since=2026-10-01&until=2026-09-01",
        "step=year",
        "plan=" + "x" * 300,
    ):
        for path in ("/dashboard", "/dashboard.csv"):
            shown = await manager.get(f"{path}?{query}")
            assert (shown.status_code, 'role="alert"' in shown.text) == (422, True), query
    assert (await manager.get("/dashboard.csv?table=passwords")).status_code == 422
    hostile = await manager.get("/dashboard", params={"<script>": "1", "plan": "</p><script>"})
    assert (hostile.status_code, "<script>" in hostile.text) == (422, False)


async def test_hostile_text_stays_text(manager: httpx.AsyncClient, store: Store, clock: ManualClock) -> None:
    at = clock.now() - timedelta(days=5)
    await rated_ticket(store, at, "100", "All is well.", **dict.fromkeys(NAMES, "Plain"))
    plain = Tags((await manager.get("/dashboard")).text)
    for number, words in enumerate(HOSTILE):
        await rated_ticket(store, at, str(number), words, **dict.fromkeys(NAMES, words[:100]))
    tags = Tags((await manager.get("/dashboard")).text)
    assert tags.names - plain.names <= {"details", "summary"}  # more rows than are shown at once
    assert not [name for name in tags.attributes if name.startswith("on") or name == "style"]
    for words in HOSTILE:
        assert any(words in text for text in tags.words), words
    narrowed = await manager.get("/dashboard", params={"plan": HOSTILE[2]})
    assert (narrowed.status_code, "<svg onload" in narrowed.text) == (200, False)
    cells = [line["comment"] for line in lines_of(await manager.get("/dashboard.csv?table=comments"))]
    assert "'" + HOSTILE[-1] in cells


@on("sqlite")
async def test_long_comments_are_cut_and_lead_to_the_story(
    manager: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    await rated_ticket(store, clock.now() - timedelta(days=2), "17", "word " * 2_000)
    page = (await manager.get("/dashboard")).text
    assert page.count("word ") < 130
    assert page.count('href="/tickets/17"') == 2
    [line] = lines_of(await manager.get("/dashboard.csv?table=comments"))
    assert line["comment"] == ("word " * 2_000)


@on("sqlite")
async def test_it_says_when_counting_is_behind(
    manager: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    assert "As of 2 Nov 2026, 09:00 UTC." in (await manager.get("/dashboard")).text
    await note(store, "17", solved_at=clock.now())
    clock.advance(timedelta(minutes=10))
    behind = (await manager.get("/dashboard")).text
    assert "As of 2 Nov 2026, 09:00 UTC; 1 ticket is being counted" in behind


@on("sqlite")
async def test_the_style_is_the_one_that_the_policy_allows(manager: httpx.AsyncClient) -> None:
    reply = await manager.get("/dashboard")
    style = reply.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in reply.headers["content-security-policy"]
    assert "url(" not in style
    assert "@import" not in style


async def test_without_its_database_it_says_so(clock: ManualClock, tmp_path: Path) -> None:
    nowhere = DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path}/no/such/folder.db"))
    async with open_store(nowhere, clock=clock) as store:
        auth = auth_of(store, dashboard_app.settings())
        async with browser_of(dashboard_app.application(store, clock, auth)) as browser:
            account = auth.accounts.get("")
            assert auth.sessions is not None
            assert account is not None
            browser.cookies.set(auth.cookie, auth.sessions.open(account))
            replies = [await log_in(browser), await browser.get("/dashboard")]
    for reply in replies:
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")
        assert "database is away" in reply.text
        assert reply.headers["cache-control"] == "no-store"
