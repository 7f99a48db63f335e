"""The readiness probes every service composes: is the database there, is anything overdue, does a consumer stand."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from supportops.clock import Clock
from supportops.config.durations import format_duration
from supportops.observability.health import ProbeResult
from supportops.observability.metric_names import MetricName
from supportops.observability.metrics import Recorder

ANSWER_WITHIN = 1.8  # seconds, less than a probe has in all


class ReachableProbe:
    """Content while `ping` returns in time; else it says since when it does not, and what to do.

    Of an error its class is told, never its text: that may quote an address with a password in it.
    """

    def __init__(
        self,
        name: str,
        ping: Callable[[], Awaitable[object]],
        remedy: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._ping, self._remedy, self._monotonic = name, ping, remedy, monotonic
        self._answered_at = monotonic()

    async def __call__(self) -> ProbeResult:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._ping()
        except Exception as error:  # noqa: BLE001  # whatever it is, it does not answer
            silent = timedelta(seconds=round(self._monotonic() - self._answered_at))
            why = f"no answer since {format_duration(silent)} ({type(error).__name__})"
            return ProbeResult(self.name, ok=False, detail=f"{why}. {self._remedy}".removesuffix(". "))
        self._answered_at = self._monotonic()
        return ProbeResult(self.name, ok=True, detail="answers")


class AgeProbe:
    """Content while the oldest waiting thing is younger than `limit`; its age in seconds is also a gauge.

    `oldest` tells since when it has been waiting (aware UTC), None when nothing waits.
    """

    def __init__(
        self,
        name: str,
        oldest: Callable[[], Awaitable[datetime | None]],
        limit: timedelta,
        *,
        clock: Clock,
        gauge: tuple[Recorder, MetricName],
    ) -> None:
        self.name, self._oldest, self._limit, self._clock = name, oldest, limit, clock
        self._recorder, self._metric = gauge

    async def __call__(self) -> ProbeResult:
        since = await self._oldest()
        age = max(self._clock.now() - since, timedelta()) if since is not None else timedelta()
        self._recorder.gauge(self._metric, age.total_seconds())
        if since is None:
            return ProbeResult(self.name, ok=True, detail="nothing waits")
        waiting = format_duration(timedelta(seconds=round(age.total_seconds())))
        return ProbeResult(
            self.name, age < self._limit, f"oldest waits {waiting}, limit {format_duration(self._limit)}"
        )


class ComplaintsProbe:
    """Content while there are no complaints that are older than `limit`; a `Consumer` has them."""

    def __init__(self, name: str, complaints: Callable[[timedelta], list[str]], limit: timedelta) -> None:
        self.name, self._complaints, self._limit = name, complaints, limit

    async def __call__(self) -> ProbeResult:
        if found := self._complaints(self._limit):
            return ProbeResult(self.name, ok=False, detail="; ".join(found))
        return ProbeResult(self.name, ok=True, detail="moving, or nothing to do")
