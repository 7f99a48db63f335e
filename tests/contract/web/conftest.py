"""One installation per test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from supportops.clock import ManualClock
from supportops.web.auth.accounts import Account, write_users
from supportops.web.auth.roles import ROLES
from tests.contract.web.installation import HASHED, Installation, installed


@pytest.fixture
async def installation(
    new_database: Callable[[str], str], clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Installation]:
    """Every service that has pages, migrated when it is asked."""
    async with installed(new_database, clock, tmp_path) as ready:
        yield ready


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """A user for each role, named like it."""
    file = tmp_path / "users"
    write_users(file, [Account(f"of-{role}", role, HASHED) for role in ROLES])
    return file
