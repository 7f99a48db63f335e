"""The readiness probes every service composes: is the database there, is anything overdue, does a consumer stand."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from supportops.clock import Clock
from supportops.config.durations import format_duration
from supportops.observability.health import ProbeResult
from supportops.observability.metric_names import MetricName
from supportops.observability.metrics import Recorder


class ReachableProbe:
    """Content while `ping` returns."""

    def __init__(self, name: str, ping: Callable[[], Awaitable[object]]) -> None:
        self.name, self._ping = name, ping

    async def __call__(self) -> ProbeResult:
        await self._ping()
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


class StallProbe:
    """Content unless work waits (lag) and none of it was finished for `limit`; a `Consumer` tells by `stalled`."""

    def __init__(self, name: str, stalled: Callable[[timedelta], bool], limit: timedelta) -> None:
        self.name, self._stalled, self._limit = name, stalled, limit

    async def __call__(self) -> ProbeResult:
        if self._stalled(self._limit):
            return ProbeResult(
                self.name, ok=False, detail=f"events wait, none finished for {format_duration(self._limit)}"
            )
        return ProbeResult(self.name, ok=True, detail="moving, or nothing to do")
