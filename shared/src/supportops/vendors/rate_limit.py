"""This process's share of a vendor's rate limit, and the pause that the vendor asked for."""

import asyncio
from datetime import datetime, timedelta
from time import monotonic

from aiolimiter import AsyncLimiter

from supportops.clock import Clock
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Recorder


class RateLimiter:
    """At most `per_minute` calls a minute leave this process, spread by a leaky bucket of `burst` calls.

    Whoever would wait longer than `patience` gets DestinationPaused instead: a row waits better than a call in
    flight, and its attempts are not used up by our own thrift.
    After the vendor has said 429 for the whole account, nobody calls before the time it named.
    """

    def __init__(
        self,
        vendor: str,
        per_minute: float,
        *,
        clock: Clock,
        metrics: Recorder,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self._vendor, self._clock, self._metrics, self._patience = vendor, clock, metrics, patience
        burst = max(1.0, per_minute / 6)
        self._limiter = AsyncLimiter(burst, 60 * burst / per_minute)
        self._closed_until: datetime | None = None

    async def acquire(self) -> None:
        """Wait for our turn; raises DestinationPaused when that would take too long."""
        self._refuse_while_closed()
        begin = monotonic()
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._limiter.acquire()
        except TimeoutError as error:
            raise DestinationPaused(
                f"{self._vendor}: our share of the calls is used up", self._patience
            ) from error
        finally:
            self._metrics.observe("vendor_wait_seconds", monotonic() - begin, vendor=self._vendor)

    def close(self, span: timedelta) -> None:
        """The vendor asked everybody to wait this long."""
        self._closed_until = self._clock.now() + span

    def _refuse_while_closed(self) -> None:
        if self._closed_until is None:
            return
        left = self._closed_until - self._clock.now()
        if left > timedelta():
            raise DestinationPaused(f"{self._vendor}: asked to wait", left)
        self._closed_until = None
