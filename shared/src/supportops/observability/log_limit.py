"""Warnings that anybody on the internet can cause: one line per cause in a while, never one per request."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Final

EVERY: Final = 10.0  # seconds
ONCE: Final = ("Sending username and password in the clear",)
"""What a library says of a setting at every connection: the setting is as it is."""


class LimitedWarnings:
    """Logs the first warning of each cause at once, then at most one in `EVERY` seconds, with how many there were.

    A cause is one of our own words: their number is small, and none comes from outside.
    """

    def __init__(self, log: Any, now: Callable[[], float] = time.monotonic) -> None:
        self._log, self._now = log, now
        self._silent_until: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def warning(self, event: str, cause: str, **facts: object) -> None:
        """Tell of one more happening of `cause`; `facts` are those of the one that is logged."""
        times = self._untold.pop(cause, 0) + 1
        now = self._now()
        if now < self._silent_until.get(cause, now):
            self._untold[cause] = times
            return
        self._silent_until[cause] = now + EVERY
        self._log.warning(event, cause=cause, times=times, **facts)


class LimitedLibrary(logging.Filter):
    """A library's own lines: of each kind (its text before values are filled in) one in `EVERY` seconds, or `ONCE`."""

    def __init__(self, library: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._library, self._now = library, now
        self._silent_until: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._library):
            return True
        kind, now = (record.name, record.lineno), self._now()
        if now < self._silent_until.get(kind, now):
            return False
        self._silent_until[kind] = math.inf if record.msg in ONCE else now + EVERY
        return True
