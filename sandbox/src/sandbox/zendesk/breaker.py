"""The circuit breaker and the throttle of docs/vendors/zendesk.md#answers, off unless a webhook turns
them on.
"""

from collections import deque

from sandbox.clock import NANOS, Clock

WINDOW = 300  # seconds
FAILED_SHARE = 0.7
MAX_ERRORS = 1000
FEWEST = 20  # below this many attempts a share says nothing; Zendesk's own figure is unknown
PROBE_EVERY = 7  # seconds; the median gap that was recorded


class Breaker:
    """Opens when 70 % of the attempts of 5 minutes failed, or more than 1,000; a success while open closes it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: deque[tuple[int, bool]] = deque()  # (when in ns, failed)
        self._failed = 0
        self._opened = False
        self._probe_at = 0

    @property
    def is_open(self) -> bool:
        return self._opened

    def admits(self) -> bool:
        """Whether an attempt may be made; while open one probe passes every few seconds."""
        if not self._opened:
            return True
        now = self._clock.now_ns()
        if now < self._probe_at:
            return False
        self._probe_at = now + PROBE_EVERY * NANOS
        return True

    def note(self, failed: bool) -> None:
        """The outcome of one attempt."""
        now = self._clock.now_ns()
        if self._opened and not failed:
            self._opened = False
            self._attempts.clear()
            self._failed = 0
        self._attempts.append((now, failed))
        self._failed += failed
        self._forget(now - WINDOW * NANOS)
        if not self._opened and self._too_many():
            self._opened = True
            self._probe_at = now + PROBE_EVERY * NANOS

    def _forget(self, before: int) -> None:
        while self._attempts and self._attempts[0][0] < before:
            self._failed -= self._attempts.popleft()[1]

    def _too_many(self) -> bool:
        seen = len(self._attempts)
        return self._failed > MAX_ERRORS or (seen >= FEWEST and self._failed / seen >= FAILED_SHARE)


class Throttle:
    """Lets so many invocations pass per minute; the rest is held back, and some of it lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passed: deque[int] = deque()

    def holds(self, per_minute: float) -> bool:
        """Whether this invocation is held back; 0 lets everything pass."""
        if not per_minute:
            return False
        now = self._clock.now_ns()
        while self._passed and self._passed[0] < now - 60 * NANOS:
            self._passed.popleft()
        if len(self._passed) >= per_minute:
            return True
        self._passed.append(now)
        return False
