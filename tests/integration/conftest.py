"""What the tests of several services share."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    """The system's Chromium (mark such tests `browser`); it starts in a second."""
    from tests.support.browser import chromium  # loads playwright, which most tests do without

    async with chromium() as opened:
        yield opened
