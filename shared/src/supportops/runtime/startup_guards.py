"""What a process depends on is looked at once when it starts, as soon as that answers: its database, the topics.

Without it every loop takes "no such table" for something that may pass, and says so for ever; and a process that only
publishes would find out about a topic with its first large event, long after the deploy.
"""

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta

from supportops.errors import Retryable, SupportOpsError
from supportops.messaging import Broker
from supportops.messaging.topics import WrongTopics
from supportops.observability.logging import get_logger
from supportops.store import Store, is_outage
from supportops.store.migrate import current_head, revisions
from supportops.store.schema import revision_of

LOOK_AGAIN = timedelta(seconds=2)
_log = get_logger("supportops.topics")


class NotMigrated(SupportOpsError):
    """The database is not at a revision that this version can work on; the message names the command that helps."""


class _Guard(ABC):
    """Looks until it has seen, then waits to be stopped. An absence is told by the probe and by those who wait."""

    async def run(self, stopping: asyncio.Event) -> None:
        """As `Component`; what a look raises is for the process to hear."""
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stop.done() and not await self._looked():
                await asyncio.wait((stop,), timeout=LOOK_AGAIN.total_seconds())
            await stop
        finally:
            stop.cancel()

    @abstractmethod
    async def _looked(self) -> bool:
        """Whether what is looked at answered."""


class SchemaGuard(_Guard):
    """Raises NotMigrated for a database which its migrations have not prepared."""

    name = "schema-guard"

    def __init__(self, store: Store, package: str) -> None:
        self._store, self._package = store, package

    async def _looked(self) -> bool:
        try:
            await demand_migrated(self._store, self._package)
        except Exception as error:
            if is_outage(error):
                return False
            raise
        return True


class TopicGuard(_Guard):
    """Missing topics are made, too tight ones named in the log. Wrong ones end nobody who can work without them: a
    consumer ends by itself.
    """

    name = "topic-guard"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def _looked(self) -> bool:
        try:
            await self._broker.prepare()
        except WrongTopics as error:
            _log.error("topics.wrong", reason=str(error))
        except Retryable:
            return False
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
