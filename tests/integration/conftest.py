"""What the tests of several services share."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """The system's Chromium, started once (mark such tests with `tests.support.browser.in_browser`)."""
    from tests.support.browser import chromium  # loads playwright, which most tests do without

    async with chromium() as opened:
        yield opened
