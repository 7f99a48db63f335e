"""A service on a database that was not migrated ends and says what to do; one that is away is waited for."""

import asyncio

import pytest

from supportops.runtime.startup_guards import NotMigrated, SchemaGuard, demand_migrated
from supportops.store import migrate
from tests.support.databases import on_the_side
from tests.support.engine import APP, store_on
from tests.support.eventually import NotYet, eventually


async def test_an_empty_database_is_refused_with_the_command_that_helps(database_url: str) -> None:
    async with store_on(database_url) as store:
        with pytest.raises(
            NotMigrated, match=r"has no tables of ours, this version wants \d+: run `csat migrate`"
        ):
            await SchemaGuard(store, "csat").run(asyncio.Event())


async def test_an_older_revision_is_refused_and_the_newest_is_not(database_url: str) -> None:
    on_the_side(lambda: migrate.upgrade(database_url, APP, "0001"))
    async with store_on(database_url) as store:
        with pytest.raises(NotMigrated, match="is at revision 0001"):
            await demand_migrated(store, APP)
    on_the_side(lambda: migrate.upgrade(database_url, APP))
    async with store_on(database_url) as store:
        await demand_migrated(store, APP)


async def test_a_newer_revision_is_left_alone(database_url: str) -> None:
    """In an update the database goes first: what still runs must not stop for it."""
    on_the_side(lambda: migrate.upgrade(database_url, APP))
    async with store_on(database_url) as store:
        async with store.transaction() as tx:
            await tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        await demand_migrated(store, APP)


async def test_a_database_that_is_away_is_waited_for_until_stopped() -> None:
    stopping = asyncio.Event()
    async with store_on("postgresql://nobody@127.0.0.1:1/nothing") as store:
        guard = asyncio.create_task(SchemaGuard(store, APP).run(stopping))
        with pytest.raises(NotYet):
            await eventually(guard.done, within=0.5)
        stopping.set()
        await asyncio.wait_for(guard, 5)
