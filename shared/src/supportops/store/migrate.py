"""Alembic, run from code: each service's history lies in its own package, under `migrations/versions`."""

import ast
import asyncio
import re
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from supportops.loading import loading
from supportops.observability.logging import get_logger
from supportops.store.engine import SqliteThreads, async_url, prepare_sqlite
from supportops.store.indexes import make_missing
from supportops.store.postgres import CONNECT_TIMEOUT

if TYPE_CHECKING:  # else where it is used: every command imports this file, and few of them migrate
    from alembic.config import Config

LOCK_TIMEOUT = "3s"  # that a table may keep a migration waiting, and the migration everybody behind it
LOCK_NOT_AVAILABLE = "55P03"
PAUSE = 2.0  # seconds until it comes again
TRIES = 30
_NAMES = re.compile(r"^(revision|down_revision)\b.*?= *(.+)$", re.MULTILINE)
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext('supportops.indexes'))"

log = get_logger("supportops.migrate")


def upgrade(url: str, package: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision` of `package`'s history; safe to run again and at the same time."""
    with loading():
        from alembic import command

    _run(url, package, lambda config: command.upgrade(config, revision), indexes=revision == "head")


def downgrade(url: str, package: str, revision: str) -> None:
    """Take the database at `url` back to `revision` (`base`: to nothing)."""
    from alembic import command

    _run(url, package, lambda config: command.downgrade(config, revision))


def current_head(package: str) -> str:
    """The newest revision of `package`'s history. ValueError where there is none, or more than one."""
    history = _history(package)
    heads = sorted(history.keys() - history.values())
    if len(heads) != 1:
        raise ValueError(
            f"{package} has no migrations" if not heads else f"{package} has several heads: {heads}"
        )
    return heads[0]


def revisions(package: str) -> frozenset[str]:
    """All revisions that this version of `package` knows."""
    return frozenset(_history(package))


def _history(package: str) -> dict[str, str | None]:
    """Each revision and the one before it, as the files name them.

    They are read, not run: every process asks at its start, and Alembic is as much again to load as what it works with.
    """
    found: dict[str, str | None] = {}
    for file in sorted((resources.files(package) / "migrations" / "versions").iterdir(), key=str):
        if file.name.endswith(".py"):
            named = dict(_NAMES.findall(file.read_text(encoding="utf-8")))
            found[ast.literal_eval(named["revision"])] = ast.literal_eval(named["down_revision"])
    return found


def run_environment(metadata: MetaData) -> None:
    """The whole of a service's `migrations/env.py`."""
    from alembic import context

    connection: Connection = context.config.attributes["connection"]
    context.config.attributes["metadata"] = metadata
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def _config(package: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files(package) / "migrations"))
    return config


def _run(url: str, package: str, action: "Callable[[Config], Any]", *, indexes: bool = False) -> None:
    config = _config(package)

    def migrate(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # one migration at a time, however many processes start
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('supportops.migrate'))")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        config.attributes["connection"] = connection
        action(config)

    async def main() -> None:
        address = async_url(url)
        sqlite = address.get_backend_name() == "sqlite"
        connect = {} if sqlite else {"timeout": CONNECT_TIMEOUT}
        # No parameters in error messages: they are customers' data, and messages are logged.
        options: dict[str, Any] = {"poolclass": NullPool, "connect_args": connect, "hide_parameters": True}
        engine = create_async_engine(address, **options)
        threads = SqliteThreads(engine) if sqlite else None
        if sqlite:
            prepare_sqlite(engine)
        try:
            await _until_unlocked(engine, migrate)
            if indexes:
                await _make_indexes(engine, config.attributes["metadata"])
        finally:
            await engine.dispose()
            if threads is not None:
                await threads.ended()

    asyncio.run(main())


async def _make_indexes(engine: AsyncEngine, metadata: MetaData) -> None:
    """After the transaction of the revisions: an index is made concurrently outside of any.

    It waits for every statement that has begun before, so nobody may wait for our lock within a statement.
    """
    postgres = engine.dialect.name == "postgresql"
    if postgres:
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.begin() as connection:
        while postgres and not (await connection.exec_driver_sql(_TRY_LOCK)).scalar():  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(PAUSE)
        await connection.run_sync(make_missing, metadata)  # the lock goes with the connection


async def _until_unlocked(engine: AsyncEngine, migrate: Callable[[Connection], None]) -> None:
    """Run it in one transaction; where a table is in use for long, give way to the queue behind us and come again.

    ALTER TABLE waits for everybody who reads, and meanwhile everybody else waits for it: a service would stand still.
    """
    for last in (*(False,) * TRIES, True):
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except DBAPIError as error:
            if last or getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            log.warning("migrate.waits", reason="a table is in use", again_in=PAUSE)
            await asyncio.sleep(PAUSE)
        else:
            return
