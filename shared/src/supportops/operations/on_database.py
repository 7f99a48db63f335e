"""Running a command that needs its service's database and nothing else."""

from collections.abc import Awaitable, Callable

from supportops.config import DatabaseCommandSettings
from supportops.runtime.cli import AnyService, execute_with
from supportops.store import Store


def on_database(service: AnyService, job: Callable[[Store], Awaitable[int]]) -> int:
    """Run `job` with the database open; the exit code."""

    async def with_store(settings: DatabaseCommandSettings) -> int:
        async with service.open_database(settings) as store:
            return await job(store)

    return execute_with(service, DatabaseCommandSettings, with_store)
