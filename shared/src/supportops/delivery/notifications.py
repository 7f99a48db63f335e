"""Hearing of deliveries that another process of the service scheduled (PostgreSQL's NOTIFY).

Only a hint: the courier looks once a second anyway, so a lost connection costs at most that.
"""

import asyncio
from collections.abc import Callable

from supportops.observability.logging import get_logger
from supportops.store import Store, is_outage
from supportops.store.engine import CHANNEL, SEPARATOR

_log = get_logger("supportops.courier")


async def listen(store: Store, wake: Callable[[list[str]], object]) -> None:
    """Call `wake` with the destinations of every notification, for ever; does nothing on a database without NOTIFY."""
    if store.dialect != "postgresql":
        return
    while True:
        try:
            await _listen_once(store, wake)
        except Exception as error:  # noqa: BLE001  # only a hint is lost; tried again
            _log.info("wake.lost_connection", error=str(error)[:200], outage=is_outage(error))
            await asyncio.sleep(1)


async def _listen_once(store: Store, wake: Callable[[list[str]], object]) -> None:
    async with store.reading() as conn:
        driver = (await conn.get_raw_connection()).driver_connection
        if driver is None:
            return
        lost = asyncio.Event()
        driver.add_termination_listener(lambda *_: lost.set())
        await driver.add_listener(CHANNEL, lambda *heard: wake(_destinations(*heard)))
        try:
            await lost.wait()
        finally:
            await conn.invalidate()  # a connection that listens must not go back to the pool
    raise ConnectionError("the listening connection was closed")


def _destinations(_connection: object, _pid: int, _channel: str, payload: str) -> list[str]:
    return payload.split(SEPARATOR)
