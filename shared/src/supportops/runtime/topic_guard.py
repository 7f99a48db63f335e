"""Looks at the broker's topics when a process starts: missing ones are made, too tight ones are named in the log.

Without it a process that only publishes would find out with its first large event, long after the deploy.
"""

import asyncio
from datetime import timedelta

from supportops.errors import Retryable
from supportops.messaging import Broker
from supportops.messaging.topics import WrongTopics
from supportops.observability.logging import get_logger

LOOK_AGAIN = timedelta(seconds=2)
_log = get_logger("supportops.topics")


class TopicGuard:
    """Looks once, as soon as the broker answers; then waits to be stopped."""

    name = "topic-guard"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def run(self, stopping: asyncio.Event) -> None:
        """As `Component`. Topics that are wrong end nobody who can work without them: a consumer ends by itself."""
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stop.done() and not await self._looked():
                await asyncio.wait((stop,), timeout=LOOK_AGAIN.total_seconds())
            await stop
        finally:
            stop.cancel()

    async def _looked(self) -> bool:
        try:
            await self._broker.prepare()
        except WrongTopics as error:
            _log.error("topics.wrong", reason=str(error))
        except Retryable:
            return False  # its absence is told by the probe and by those who wait for it
        return True
