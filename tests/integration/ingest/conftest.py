"""A running ingest for each test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.integration.ingest.app import Ingest, running


@pytest.fixture
async def ingest(new_database: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Ingest]:
    """A running ingest, once on SQLite and once on PostgreSQL."""
    async with running(new_database("ingest"), tmp_path / "spool") as ready:
        yield ready
