"""Log lines that strangers can cause: one per cause in ten seconds, with how many it stands for."""

import time
from typing import Any, Protocol

EVERY = 10.0  # seconds
MOST_CAUSES = 1000


class Logger(Protocol):
    """What is written to."""

    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class SparseLog:
    """Passes the first line of each (event, cause) on, and the next after ten seconds, with `times` since then."""

    def __init__(self, log: Logger, every: float = EVERY) -> None:
        self._log = log
        self._every = every
        self._held: dict[tuple[str, str], tuple[float, int]] = {}

    def warning(self, event: str, *, cause: str, **values: Any) -> None:
        """Something that whoever stands outside did."""
        if times := self._turn(event, cause):
            self._log.warning(event, reason=cause, times=times, **values)

    def error(self, event: str, *, cause: str, **values: Any) -> None:
        """Something that an operator must put right."""
        if times := self._turn(event, cause):
            self._log.error(event, reason=cause, times=times, **values)

    def _turn(self, event: str, cause: str) -> int:
        """0: not now; else how many times it happened since the last line, this one included."""
        now = time.monotonic()
        if len(self._held) >= MOST_CAUSES:
            self._held.clear()
        since, times = self._held.get((event, cause), (-self._every, 0))
        if now - since < self._every:
            self._held[event, cause] = (since, times + 1)
            return 0
        self._held[event, cause] = (now, 0)
        return times + 1
