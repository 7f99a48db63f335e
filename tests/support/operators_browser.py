"""Operators' pages in Chromium: on a phone and a desk, in the light and in the dark; no other host is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, Page, ViewportSize

from supportops.observability.metrics import Metrics
from supportops.runtime.http_server import HttpServer

PHONE, DESKTOP = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=900)
LOOKS = [  # each size and each scheme once in the gate, all four for pictures (`make screenshots`)
    pytest.param(PHONE, "dark", id="phone-dark"),
    pytest.param(DESKTOP, "light", id="desktop-light"),
    pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.long),
    pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.long),
]
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
    yield Site(f"http://127.0.0.1:{server.port}")
    stopping.set()
    await running


@asynccontextmanager
async def visit(
    browser: Browser, site: Site, viewport: ViewportSize = DESKTOP, scheme: str = "light"
) -> AsyncIterator[Page]:
    """A page that may contact the site alone, and complains of nothing; its policy forbids scripts."""
    dark: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    context = await browser.new_context(viewport=viewport, color_scheme=dark)
    page = await context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    assert [url for url in asked if not url.startswith(f"{site.origin}/")] == []
    assert [line for line in complaints if "status of" not in line] == []
    await context.close()


async def has_no_faults(page: Page) -> None:
    """Axe finds nothing (labels, names, roles, contrast, language …), and nothing sticks out sideways."""
    found = await Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert await page.evaluate(STICKING_OUT) == []
