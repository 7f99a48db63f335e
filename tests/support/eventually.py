"""Waiting on a condition with a deadline: the only two sleeps of the test tree are here.

Deadlines are seconds of a machine that has a core to spare; one that is shared by many gets as many times more, so
that a test waits for progress and does not measure who else is at work.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import overload

EVERY = 0.02
SHARE, LONGEST = 0.1, 0.5  # a pause lasts at most that share of the wait so far, and that many seconds
MOST = 5.0  # times the seconds asked for, whatever else the machine does


class NotYet(AssertionError):
    """The condition did not come true in time."""


def patience(
    within: float, load: Callable[[], float] = lambda: os.getloadavg()[0], cores: int | None = os.cpu_count()
) -> float:
    """`within` seconds, times how many want each core at present (at least 1, at most MOST)."""
    return within * min(MOST, max(1.0, load() / (cores or 1)))


def _pause(every: float, waited: float) -> float:
    """Until the next look: a long wait is looked at less often, for a look costs what the awaited work could use."""
    return max(every, min(LONGEST, waited * SHARE))


def _verdict(waited: float, about: str, last: object) -> str:
    return f"{about or 'the condition'} did not come true within {waited:.1f} s; last seen: {last!r}"


@overload
async def eventually[T](
    probe: Callable[[], Awaitable[T]], *, within: float = 10.0, every: float = EVERY, about: str = ""
) -> T: ...


@overload
async def eventually[T](
    probe: Callable[[], T], *, within: float = 10.0, every: float = EVERY, about: str = ""
) -> T: ...


async def eventually[T](
    probe: Callable[[], T | Awaitable[T]], *, within: float = 10.0, every: float = EVERY, about: str = ""
) -> T:
    """Call `probe` (plain or async) until it returns something truthy and return that.

    A probe may also assert: an AssertionError counts as "not yet" and is shown when time is up.
    """
    begun = time.monotonic()
    last: object = None
    while True:
        try:
            answer = probe()
            value: T = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if (waited := time.monotonic() - begun) > patience(within):
            raise NotYet(_verdict(waited, about, last))
        await asyncio.sleep(_pause(every, waited))


def eventually_now[T](
    probe: Callable[[], T], *, within: float = 10.0, every: float = EVERY, about: str = ""
) -> T:
    """The same for code without an event loop: starting servers and processes."""
    begun = time.monotonic()
    last: object = None
    while True:
        try:
            if value := probe():
                return value
            last = value
        except AssertionError as error:
            last = error
        if (waited := time.monotonic() - begun) > patience(within):
            raise NotYet(_verdict(waited, about, last))
        time.sleep(_pause(every, waited))
