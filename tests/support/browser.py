"""The system's Chromium, for tests of pages: nothing is downloaded, nothing but the page is contacted."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support.infra import ci

SCREENSHOTS = Path(__file__).parents[2] / "test-output" / "screenshots"
"""Where tests leave pictures of pages; `make screenshots` copies them into docs/images."""

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without windows. Skips where Chromium is not installed; in CI that is a failure."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        problem = "Chromium is not installed (apt: chromium)"
        if ci():
            pytest.fail(problem)
        pytest.skip(problem)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


def screenshot_path(name: str) -> Path:
    """The file of the picture called `name`, its folder made."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS / f"{name}.png"
