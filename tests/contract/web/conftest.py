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
    """Three services, migrated."""
    async with installed(new_database, clock, tmp_path) as ready:
        yield ready
