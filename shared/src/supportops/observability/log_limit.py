"""Warnings that come in crowds, by strangers or in an outage: one line per cause in a while, not one per happening."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Final

EVERY: Final = 10.0  # seconds
ONCE: Final = ("Sending username and password in the clear",)
"""What a library says of a setting at every connection: the setting is as it is."""


class LimitedWarnings:
    """Logs the first warning of each event and cause at once, then at most one in `EVERY` seconds, with how many there
    were.

    A cause is one of our own words: their number is small, and none comes from outside.
    """

    def __init__(self, log: Any, now: Callable[[], float] = time.monotonic) -> None:
        self._log, self._now = log, now
        self._silent_until: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def warning(self, event: str, cause: str, **facts: object) -> None:
        """Tell of one more happening of `cause`; `facts` are those of the one that is logged."""
        if times := self._times_to_tell(event, cause):
            self._log.warning(event, cause=cause, times=times, **facts)

    def error(self, event: str, cause: str, **facts: object) -> None:
        """The same for what somebody has to mend; `exc_info` among the facts shows a traceback."""
        if times := self._times_to_tell(event, cause):
            self._log.error(event, cause=cause, times=times, **facts)

    def _times_to_tell(self, event: str, cause: str) -> int:
        """How often it happened since it was told; 0: it was told a moment ago."""
        kind, now = (event, cause), self._now()
        times = self._untold.pop(kind, 0) + 1
        if now < self._silent_until.get(kind, now):
            self._untold[kind] = times
            return 0
        self._silent_until[kind] = now + EVERY
        return times


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
