"""The notifier's courier for breach notices as a process of its own, which can be killed in the middle of a call."""

import asyncio
import multiprocessing
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from notifier.policy.notifier import NotifierPolicy
from notifier.settings import Settings
from notifier.wiring import breach_context, breach_destinations, open_vendors
from supportops.clock import SystemClock
from supportops.delivery import Courier
from supportops.observability.metrics import Metrics
from supportops.store import open_store

_forks = multiprocessing.get_context("forkserver")


def deliver(settings: Settings, policy: NotifierPolicy) -> None:
    """Deliver until killed."""
    try:
        asyncio.run(_deliver(settings, policy))
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        raise


async def _deliver(settings: Settings, policy: NotifierPolicy) -> None:
    async with (
        open_store(settings.database, clock=SystemClock()) as store,
        open_vendors(settings, policy, store, Metrics()) as vendors,
    ):
        context = breach_context(vendors, policy)
        await Courier(store, breach_destinations(context), Metrics()).run(asyncio.Event())


@contextmanager
def working(settings: Settings, policy: NotifierPolicy) -> Iterator[BaseProcess]:
    """The process at work; killed at the end of the block, if not before."""
    child = _forks.Process(target=deliver, args=(settings, policy), daemon=True)
    child.start()
    try:
        yield child
    finally:
        child.kill()
        child.join()
