"""Waiting for progress instead of against the clock: a busy machine is slow, and that is nobody's mistake."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

STILL = 60.0  # seconds without any progress
AT_ALL = (
    600.0  # seconds with progress that leads nowhere: a service that tries the same thing again and again
)


class Patience:
    """`over` when what `progress` returns has not changed for STILL seconds, or after AT_ALL seconds at most."""

    def __init__(
        self,
        progress: Callable[[], object],
        *,
        still: float = STILL,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._still = still
        self._now = now
        self._begun = self._moved = now()
        self._last = progress()

    @property
    def waited(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._begun

    def over(self) -> bool:
        """Whether to give up."""
        if (found := self._progress()) != self._last:
            self._last, self._moved = found, self._now()
        return self._now() - self._moved > self._still or self.waited > AT_ALL


def processor_time(pid: int) -> str:
    """What a process has used of the processor so far, in the system's own words; empty when it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return " ".join(stat.read_text().rpartition(")")[2].split()[11:13])  # utime, stime: proc(5)
    except FileNotFoundError:
        shown = subprocess.run(  # nosec B603 # no argument from outside
            ["/bin/ps", "-o", "time=", "-p", str(pid)], capture_output=True, check=False, text=True
        )
        return shown.stdout.strip()
