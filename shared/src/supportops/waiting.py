"""Waiting for the first of several things."""

import asyncio
from typing import Any


async def wait_first(*things: "asyncio.Event | asyncio.Future[Any]", timeout: float | None = None) -> None:
    """Returns when one of the events is set, one of the futures done, or after `timeout` seconds."""
    waiting = [
        asyncio.ensure_future(thing.wait()) if isinstance(thing, asyncio.Event) else thing for thing in things
    ]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when="FIRST_COMPLETED")
    finally:
        for own, thing in zip(waiting, things, strict=True):
            if own is not thing:
                own.cancel()
