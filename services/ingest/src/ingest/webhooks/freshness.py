"""How far the times of signatures are from our clock: counted and told, never a reason to refuse (decision 110)."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from ingest.webhooks import signature
from supportops.clock import Clock
from supportops.config.durations import format_duration
from supportops.observability.health import ProbeResult
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

RECENT: Final = timedelta(minutes=15)
REMEMBERED: Final = 10_000


class Freshness:
    """Watches signed requests. As a probe it tells of the last minutes, and is always content.

    Not ready would take the endpoint out of the balance, and with it every webhook: what it is to prevent.
    """

    name = "webhook_clock"

    def __init__(self, window: timedelta, clock: Clock, metrics: Recorder) -> None:
        """`window` of zero watches nothing."""
        self._window, self._clock, self._metrics = window, clock, metrics
        self._warnings = LimitedWarnings(get_logger("ingest.webhooks"))
        self._seen: deque[datetime] = deque(maxlen=REMEMBERED)
        self._last = ""

    def look(self, timestamp: bytes, now: datetime) -> None:
        """A request with this signature timestamp was accepted."""
        drift = signature.drift(timestamp, now, self._window) if self._window else None
        if drift is None:
            return
        why, seconds = drift
        self._metrics.count("webhooks_out_of_window", why=why)
        self._warnings.warning("webhook.out_of_window", why, seconds=seconds)
        self._seen.append(now)
        self._last = f"{format_duration(timedelta(seconds=seconds))} {why}" if seconds else why

    async def __call__(self) -> ProbeResult:
        since = self._clock.now() - RECENT
        while self._seen and self._seen[0] < since:
            self._seen.popleft()
        if not self._seen:
            return ProbeResult(self.name, ok=True, detail="signatures are of now")
        how_many = f"{len(self._seen)} signatures outside {format_duration(self._window)}"
        detail = f"{how_many} in {format_duration(RECENT)}, the last {self._last}: is our clock right?"
        return ProbeResult(self.name, ok=True, detail=detail)
