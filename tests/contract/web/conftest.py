"""One installation per test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from supportops.clock import ManualClock
from tests.contract.web.installation import Installation, installed


@pytest.fixture
async def installation(
    new_database: Callable[[str], str], clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Installation]:
    """Every service that has pages, migrated when it is asked."""
    async with installed(new_database, clock, tmp_path) as ready:
        yield ready
