"""Ends a process that was started on a database which its migrations have not prepared.

Without it every loop takes "no such table" for something that may pass, and says so for ever.
"""

import asyncio
from datetime import timedelta

from supportops.errors import SupportOpsError
from supportops.store import Store, is_outage
from supportops.store.migrate import current_head, revisions
from supportops.store.schema import revision_of

LOOK_AGAIN = timedelta(seconds=2)


class NotMigrated(SupportOpsError):
    """The database is not at a revision that this version can work on; the message names the command that helps."""


class SchemaGuard:
    """Looks once, as soon as the database answers. Raises NotMigrated; else waits to be stopped."""

    name = "schema-guard"

    def __init__(self, store: Store, package: str) -> None:
        self._store, self._package = store, package

    async def run(self, stopping: asyncio.Event) -> None:
        """As `Component`."""
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stop.done() and not await self._looked():
                await asyncio.wait((stop,), timeout=LOOK_AGAIN.total_seconds())
            await stop
        finally:
            stop.cancel()

    async def _looked(self) -> bool:
        """Whether the database answered, and is as it must be."""
        try:
            await demand_migrated(self._store, self._package)
        except Exception as error:
            if is_outage(error):
                return False  # its absence is told by the probe and by those who wait for it
            raise
        return True


async def demand_migrated(store: Store, package: str) -> None:
    """Raise NotMigrated unless the database is at this version's revision, or at one that this version does not know.

    A newer one is no fault: in an update the database is migrated first, and old processes work until they are
    replaced. A service's command is named like its package.
    """
    revision, head = await revision_of(store), current_head(package)
    if revision == head or (revision is not None and revision not in revisions(package)):
        return
    at = f"is at revision {revision}" if revision else "has no tables of ours"
    command = f"{package.replace('_', '-')} migrate"
    raise NotMigrated(f"the database {at}, this version wants {head}: run `{command}`")
