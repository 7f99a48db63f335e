"""Time for the stand-ins: one protocol, so that tests of the retry table need not wait."""

import asyncio
import time
from typing import Protocol

NANOS = 1_000_000_000


class Clock(Protocol):
    """Wall clock in nanoseconds since the epoch, and a way to wait."""

    def now_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def iso_seconds(ns: int) -> str:
    """`2025-01-08T10:12:07Z`: what Zendesk's REST objects and signature timestamps carry."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // NANOS))


def iso_nanos(ns: int) -> str:
    """`2025-01-08T10:12:07.672717030Z`: the `time` of an event body, nine fractional digits."""
    seconds, fraction = divmod(ns, NANOS)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"
