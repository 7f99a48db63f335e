"""Rate limits of docs/vendors/zendesk.md#rest, off until a test or an operator sets them."""

from collections.abc import Hashable
from dataclasses import dataclass

from sandbox.clock import NANOS, Clock


class Window:
    """At most `ceiling` calls per key in fixed windows of `seconds`; a ceiling of None counts but never refuses."""

    def __init__(self, clock: Clock, ceiling: int | None, seconds: int = 60) -> None:
        self.ceiling = ceiling
        self.seconds = seconds
        self._clock = clock
        self._counts: dict[Hashable, int] = {}
        self._window = -1

    def take(self, key: Hashable = None) -> int | None:
        """Count one call. Returns None when it may pass, else the whole seconds to wait."""
        self._roll()
        used = self._counts.get(key, 0)
        if self.ceiling is not None and used >= self.ceiling:
            return self.resets()
        self._counts[key] = used + 1
        return None

    def remaining(self, key: Hashable = None) -> int:
        self._roll()
        return max(0, (self.ceiling or 0) - self._counts.get(key, 0))

    def resets(self) -> int:
        """Whole seconds until the window ends, at least one."""
        return self.seconds - (self._clock.now_ns() // NANOS) % self.seconds

    def clear(self) -> None:
        self._counts.clear()

    def _roll(self) -> None:
        window = self._clock.now_ns() // NANOS // self.seconds
        if window != self._window:
            self._window = window
            self._counts.clear()


@dataclass(frozen=True, slots=True)
class Ceilings:
    """None is "no limit". `account` and `updates` are per minute, `updates_per_ticket` per ten,
    `view_counts` per five."""

    account: int | None = None
    updates: int | None = None
    updates_per_ticket: int | None = None
    exports: int | None = None
    view_counts: int | None = None


LIMITED = ("account", "updates", "updates_per_ticket", "exports", "view_counts")


class Limits:
    """The windows of one account."""

    def __init__(self, clock: Clock) -> None:
        self.account = Window(clock, None)
        self.updates = Window(clock, None)
        self.updates_per_ticket = Window(clock, None, 600)
        self.exports = Window(clock, None)
        self.view_counts = Window(clock, None, 300)

    def set(self, ceilings: Ceilings) -> None:
        for name in LIMITED:
            window: Window = getattr(self, name)
            window.ceiling = getattr(ceilings, name)
            window.clear()

    def current(self) -> dict[str, int | None]:
        names = LIMITED
        return {name: getattr(self, name).ceiling for name in names}

    def headers(self) -> dict[str, str]:
        """Both spellings that were recorded; an account without a limit shows the Enterprise figure."""
        window = self.account
        ceiling = window.ceiling if window.ceiling is not None else 700
        left = window.remaining() if window.ceiling is not None else 700
        return {
            "x-rate-limit": str(ceiling),
            "x-rate-limit-remaining": str(left),
            "ratelimit-limit": str(ceiling),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(window.resets()),
        }

    def update_header(self) -> dict[str, str]:
        window = self.updates
        ceiling = window.ceiling if window.ceiling is not None else 100
        left = window.remaining() if window.ceiling is not None else 100
        value = f"total={ceiling}; remaining={left}; resets={window.resets()}"
        return {"zendesk-rate-limit-tickets-update": value}
