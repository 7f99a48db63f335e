"""How long a fetch may wait on the embedded broker.

Tansu (0.6) looks for new records only when half of a fetch's wait is over: a short wait is a quick answer, and fifty
requests a second for each consumer of a demo that nobody uses. So the wait is short as long as records come, and long
once it has been quiet; the first record after that is up to `QUIET_WAIT / 2` later. Apache Kafka wakes its fetches.
"""

import time
from collections.abc import Callable
from typing import Any

BUSY_WAIT = 20  # milliseconds
QUIET_WAIT = 1000
QUIET_AFTER = 2.0  # seconds without a record


class EmbeddedFetch:
    """Sets the wait of one consumer's fetches. The library has no public way to change it while it runs."""

    def __init__(self, library: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._library = library
        self._clock = clock
        self._busy_at = clock()

    def records_came(self) -> None:
        """There is traffic: ask often."""
        self._busy_at = self._clock()
        self._wait(BUSY_WAIT)

    def look(self) -> None:
        """Call now and then: when it has been quiet for a while, ask seldom."""
        if self._clock() - self._busy_at >= QUIET_AFTER:
            self._wait(QUIET_WAIT)

    def _wait(self, milliseconds: int) -> None:
        self._library._fetcher._fetch_max_wait_ms = milliseconds
