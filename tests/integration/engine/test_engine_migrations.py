"""The engine's tables are built by migrations, and the migrations build what the code describes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from supportops.store.engine import async_url
from supportops.store.migrate import current_head, downgrade, upgrade
from tests.support.engine import APP
from tests.support.engine_app.tables import metadata
from tests.support.eventually import eventually

TABLES = set(metadata.tables)


def look[T](url: str, at: Callable[[Connection], T]) -> T:
    """Run `at` on a connection."""

    async def run() -> T:
        engine = create_async_engine(async_url(url))
        try:
            async with engine.connect() as conn:
                return await conn.run_sync(at)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def table_names(url: str) -> set[str]:
    return set(look(url, lambda conn: inspect(conn).get_table_names())) - {"alembic_version"}


def test_up_down_and_up_again(database_url: str) -> None:
    upgrade(database_url, APP)
    assert table_names(database_url) == TABLES
    downgrade(database_url, APP, "base")
    assert table_names(database_url) == set()
    upgrade(database_url, APP)
    upgrade(database_url, APP)  # again: nothing to do
    assert table_names(database_url) == TABLES
    version = look(
        database_url, lambda conn: conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    )
    assert version == current_head(APP)


def test_the_migrations_build_what_the_tables_say(app_database: str) -> None:
    def differences(conn: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata)

    assert look(app_database, differences) == []


def test_partial_indexes_are_partial(app_database: str, dialect: str) -> None:
    """The planner must find a few claimable rows among a million finished ones."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'deliveries'"
        if dialect == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'deliveries'"
    )
    indexes = dict(look(app_database, lambda conn: [tuple(row) for row in conn.execute(text(query))]))
    for name in ("deliveries_claimable", "deliveries_lane", "deliveries_in_flight"):
        assert " WHERE " in indexes[name]


def test_a_migration_gives_way_while_a_table_is_in_use_and_comes_again(
    dialect: str, database_url: str
) -> None:
    """A long reader holds the outbox: others pass meanwhile, and the migration is done once it is gone."""
    if dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    upgrade(database_url, APP, "0002")

    async def read_for_long() -> bool:
        holder, other = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        try:
            await holder.execute("BEGIN; LOCK TABLE outbox IN ACCESS SHARE MODE")
            migrating = asyncio.get_running_loop().run_in_executor(None, upgrade, database_url, APP)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            await eventually(lambda: other.fetchval(waiting), within=20)
            async with asyncio.timeout(15):  # without a bound it would wait as long as the holder does
                await other.fetchval("SELECT count(*) FROM outbox")
            assert not migrating.done()
            await holder.execute("COMMIT")
            await migrating
            return True
        finally:
            await holder.close()
            await other.close()

    assert asyncio.run(read_for_long())
    assert table_names(database_url) == TABLES


def test_many_processes_may_migrate_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, database_url, APP) for _ in range(4)]:
            done.result()
    assert table_names(database_url) == TABLES


def index_of_outbox(url: str) -> tuple[str, bool] | None:
    """Definition of the index that tests take away, and whether it is valid; None when it is not there."""
    query = """SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index
        JOIN pg_class c ON c.oid = indexrelid WHERE c.relname = 'ix_outbox_sweep_after'"""
    return look(url, lambda conn: next((tuple(row) for row in conn.execute(text(query))), None))


MAKING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE command = 'CREATE INDEX CONCURRENTLY'"
DROPPING = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE '%DROP INDEX%'"""
INTERRUPTED = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_outbox_sweep_after'::regclass"


@pytest.mark.parametrize(
    ("spoil", "at_work"),
    [("DROP INDEX ix_outbox_sweep_after", MAKING), (INTERRUPTED, DROPPING)],
    ids=["missing", "left by an interrupted run"],
)
def test_an_index_is_made_beside_running_writers(
    dialect: str, database_url: str, spoil: str, at_work: str
) -> None:
    """Two processes migrate while a transaction that writes is open: nobody who writes waits for them."""
    if dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    upgrade(database_url, APP)
    before = index_of_outbox(database_url)

    async def migrate_beside_writers() -> None:
        holder, other = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        insert = "INSERT INTO outbox VALUES ($1, 't', '', '', '', now(), now())"
        try:
            await holder.execute(spoil)
            writing = holder.transaction()
            await writing.start()
            await holder.execute(insert, "held")
            loop = asyncio.get_running_loop()
            both = [loop.run_in_executor(None, upgrade, database_url, APP) for _ in range(2)]
            await eventually(lambda: other.fetchval(at_work), within=20)
            async with asyncio.timeout(10):  # an index made or dropped at once would keep this one waiting
                await other.execute(insert, "beside")
            await writing.commit()
            await asyncio.gather(*both)
        finally:
            await holder.close()
            await other.close()

    asyncio.run(migrate_beside_writers())
    assert index_of_outbox(database_url) == before


def test_a_missing_index_is_made_on_sqlite_too(dialect: str, database_url: str) -> None:
    if dialect != "sqlite":
        pytest.skip("the other database has tests of its own")
    upgrade(database_url, APP)

    def drop(conn: Connection) -> None:
        conn.execute(text("DROP INDEX ix_outbox_sweep_after"))
        conn.commit()

    look(database_url, drop)
    upgrade(database_url, APP)
    assert "ix_outbox_sweep_after" in look(
        database_url, lambda conn: {index["name"] for index in inspect(conn).get_indexes("outbox")}
    )
