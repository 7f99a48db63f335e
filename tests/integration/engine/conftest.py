"""Stores on migrated databases, SQLite and PostgreSQL one after the other."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.engine import APP, store_on
from tests.support.engine_app.tables import metadata
from tests.support.kept_connections import KEPT


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both databases for all of the engine."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres_app(postgres_server_url: str) -> Iterator[str]:
    """One migrated database for all tests of this folder: emptying it is ten times faster than a new one."""
    databases = PostgresDatabases(postgres_server_url)
    yield databases.new(APP)
    databases.drop_all()


@pytest.fixture
def app_database(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database with the tables of `tests.support.engine_app`."""
    if dialect == "sqlite":
        return SqliteDatabases(tmp_path).new(APP)
    return empty(request.getfixturevalue("postgres_app"))


def empty(url: str) -> str:
    """Delete every row."""
    deletes = "; ".join(f"DELETE FROM {name}" for name in metadata.tables)
    KEPT.use(url, lambda connection: connection.execute(deletes))
    return url


@pytest.fixture
async def store(app_database: str, clock: ManualClock) -> AsyncIterator[Store]:
    """A store whose time stands until `clock` is advanced."""
    async with store_on(app_database, clock) as store:
        yield store


@pytest.fixture
async def live_store(app_database: str) -> AsyncIterator[Store]:
    """A store in real time, for the loops."""
    async with store_on(app_database) as store:
        yield store


@pytest.fixture
def metrics() -> Metrics:
    """A recorder of the test's own."""
    return Metrics()
