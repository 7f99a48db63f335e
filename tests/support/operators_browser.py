"""Operators' pages in Chromium: on a phone and a desktop, in the light and in the dark; no other host is asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, Page, ViewportSize, expect

from supportops.observability.metrics import Metrics
from supportops.runtime.http_server import HttpServer
from tests.support.browser import drawn_on_failure, picture

PHONE, DESKTOP = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=900)
type Scheme = Literal["dark", "light"]
type Look = tuple[str, ViewportSize, Scheme]
GATE_LOOKS: tuple[Look, ...] = (("phone-dark", PHONE, "dark"), ("desktop-light", DESKTOP, "light"))
OTHER_LOOKS: tuple[Look, ...] = (("phone-light", PHONE, "light"), ("desktop-dark", DESKTOP, "dark"))
in_all_looks = pytest.mark.parametrize(
    "looks",
    [pytest.param(GATE_LOOKS, id="gate"), pytest.param(OTHER_LOOKS, id="others", marks=pytest.mark.long)],
)
"""Tests walk through their pages once and see each in several looks. Each size and each scheme is in the gate, all
four are in `make screenshots`.
"""
PAPER = ViewportSize(width=720, height=1000)
STICKING_OUT = """[...document.querySelectorAll('.card *')].filter(
    part => part.getBoundingClientRect().right > part.closest('.card').getBoundingClientRect().right + 1
).map(part => part.outerHTML.slice(0, 80))"""


@dataclass(frozen=True)
class Site:
    """A running server."""

    origin: str


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[Site]:
    """The application on a port of its own."""
    server, stopping = HttpServer(app, ("127.0.0.1", 0), Metrics()), asyncio.Event()
    running = asyncio.create_task(server.run(stopping))
    await server.started.wait()
    try:
        yield Site(f"http://127.0.0.1:{server.port}")
    finally:
        stopping.set()
        await running


@asynccontextmanager
async def visit(
    browser: Browser, site: Site, viewport: ViewportSize = DESKTOP, under: str = "/", **how: Any
) -> AsyncIterator[Page]:
    """A page that may contact the site alone, `under` this path, and complains of nothing; its policy forbids scripts.

    `how`: whatever else a context of the browser can be.
    """
    async with await browser.new_context(viewport=viewport, **how) as context:
        page = await context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        async with drawn_on_failure(page):
            yield page
        assert [url for url in asked if not url.startswith(f"{site.origin}{under}")] == []
        assert [line for line in complaints if "status of" not in line] == []


async def has_no_faults(page: Page) -> None:
    """Axe finds nothing (labels, names, roles, contrast, language …), and nothing sticks out sideways."""
    known = await page.evaluate("'axe' in window")
    found = await (Axe("null") if known else Axe()).run(page)  # half a megabyte: once in a document
    assert found.response["violations"] == [], found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert await page.evaluate(STICKING_OUT) == []


async def looks_right(
    page: Page,
    name: str,
    looks: Iterable[Look],
    check: Callable[[Page], Awaitable[None]] = has_no_faults,
    *,
    whole: bool = True,
) -> None:
    """The page is without faults in these looks; `name`: of its pictures, with `{look}` in it."""
    for look, viewport, scheme in looks:
        await page.set_viewport_size(viewport)
        await page.emulate_media(color_scheme=scheme)
        await check(page)
        await picture(page, name.format(look=look), whole=whole)


async def log_in(page: Page, site: Site, path: str, password: str, name: str = "") -> None:
    """By keyboard alone: the first field has the focus, Enter sends. `name`: where each has a password of their own."""
    await page.goto(f"{site.origin}{path}")
    await expect(page.locator("#username" if name else "#password")).to_be_focused(timeout=30_000)
    if name:
        await page.keyboard.type(name)  # what is typed without the focus is lost
        await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.origin}{path}", timeout=30_000)


async def all_look_right(page: Page, site: Site, shown: Mapping[str, str], looks: Iterable[Look]) -> None:
    """Each page of `shown` (the name of its pictures -> its path): without faults in these looks, whole on paper."""
    for name, path in shown.items():
        await page.goto(f"{site.origin}{path}")
        await looks_right(page, f"{name}-{{look}}", looks)
        await fits_on_paper(page)


async def fits_on_paper(page: Page) -> None:
    """Printed, every table is whole and the buttons are gone; the page stays as it was."""
    before = page.viewport_size
    await page.emulate_media(media="print")
    await page.set_viewport_size(PAPER)
    assert not await page.get_by_role("button", name="Log out").is_visible()
    for table in await page.get_by_role("table").all():
        box = await table.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PAPER["width"]
    await page.emulate_media(media="screen")
    if before is not None:
        await page.set_viewport_size(before)


async def tab_to(
    page: Page, role: Literal["button", "link", "textbox", "combobox"], name: str, most: int = 60
) -> None:
    """Press Tab until the thing of that name has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True).first
    for _ in range(most):
        if await wanted.evaluate("each => each === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await expect(wanted).to_be_focused()


async def press_enter(page: Page) -> None:
    """Press Enter, which leads to a page."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
