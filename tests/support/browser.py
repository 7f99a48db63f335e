"""The system's Chromium, for tests of pages: nothing is downloaded, nothing but the page is contacted.

It starts once in a process of tests. Its users share one event loop and run in one worker of pytest-xdist
(`in_browser`), each in a context of its own: no cookie, no store and no cache of another test.
"""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, async_playwright

from sandbox.demo import reaper
from tests.support.infra import ci

SCREENSHOTS = Path(__file__).parents[2] / "test-output" / "screenshots"
"""Where tests leave pictures of pages; `make screenshots` copies them into docs/images."""

PICTURES = os.environ.get("PICTURES") == "all"
"""Whether each page is drawn into a file (`make screenshots`); else only that on which a test failed."""

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

in_browser = (
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("browser"),
)
"""The marks of such tests. What they wait for belongs to the same loop: fixtures of theirs are `in_its_loop`."""


def in_its_loop(fixture: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """A fixture of one test, in the event loop that the browser's tests share."""
    made: Callable[..., AsyncIterator[Any]] = pytest_asyncio.fixture(loop_scope="session")(fixture)
    return made


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without windows. Skips where Chromium is not installed; in CI that is a failure.

    With its folders it goes at the latest at the end of the run, also when that is killed.
    """
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        problem = "Chromium is not installed (apt: chromium)"
        if ci():
            pytest.fail(problem)
        pytest.skip(problem)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", str(reaper.temporary_folder("supportops-browser-")))
        driver = await async_playwright().start()
    try:
        browser = await driver.chromium.launch(executable_path=path, args=list(FLAGS))
        reaper.announce(await _process_of(browser))
        yield browser
        await browser.close()
    finally:
        await driver.stop()


async def _process_of(browser: Browser) -> int:
    session = await browser.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    [pid] = [each["id"] for each in found["processInfo"] if each["type"] == "browser"]
    await session.detach()
    return int(pid)


async def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """The file test-output/screenshots/NAME.png, where pictures are wanted. `whole`: also what must be scrolled to."""
    if PICTURES:
        await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)


@asynccontextmanager
async def drawn_on_failure(page: Page) -> AsyncIterator[None]:
    """Where the test fails, its page as it was then is in test-output/screenshots/failed-NAME.png."""
    try:
        yield
    except Exception as failure:
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
        path = SCREENSHOTS / f"failed-{test}.png"
        try:
            await page.screenshot(path=path, full_page=True)
        except Error as error:  # the failure itself is what must be told
            failure.add_note(f"no picture of the page: {error}")
        else:
            failure.add_note(f"the page as it was: {path}")
        raise
