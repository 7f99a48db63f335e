"""csat's history makes exactly the tables that the code describes, and can be undone."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from csat.tables import metadata
from supportops.store import migrate
from supportops.store.engine import async_url


def looked_at(url: str, look: Any) -> Any:
    """What `look` sees on a plain connection to the database."""

    async def main() -> Any:
        engine = create_async_engine(async_url(url))
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(look)
        finally:
            await engine.dispose()

    return asyncio.run(main())


def difference(connection: Connection) -> list[Any]:
    """What alembic would still change to reach the code's tables."""
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return list(compare_metadata(context, metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


@pytest.mark.both_databases
def test_up_again_and_down(database_url: str) -> None:
    for _ in range(2):
        migrate.upgrade(database_url, "csat")
    assert looked_at(database_url, difference) == []
    migrate.downgrade(database_url, "csat", "base")
    assert looked_at(database_url, tables) == {"alembic_version"}
    migrate.upgrade(database_url, "csat")
    assert looked_at(database_url, tables) == set(metadata.tables) | {"alembic_version"}
