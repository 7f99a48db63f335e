"""Waiting on a condition with a deadline: the only two sleeps of the test tree are here."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import overload

EVERY = 0.02


class NotYet(AssertionError):
    """The condition did not come true in time."""


def _verdict(waited: float, about: str, last: object) -> str:
    return f"{about or 'the condition'} did not come true within {waited:g} s; last seen: {last!r}"


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
    deadline = time.monotonic() + within
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
        if time.monotonic() > deadline:
            raise NotYet(_verdict(within, about, last))
        await asyncio.sleep(every)


def eventually_now[T](
    probe: Callable[[], T], *, within: float = 10.0, every: float = EVERY, about: str = ""
) -> T:
    """The same for code without an event loop: starting servers and processes."""
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            if value := probe():
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise NotYet(_verdict(within, about, last))
        time.sleep(every)
