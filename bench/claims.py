"""Row "claims at depth": what one claim takes behind a backlog of a thousand, fifty thousand and a million due rows."""

import asyncio
import time
from collections.abc import Sequence

from pydantic import SecretStr

from bench.figures import Figure, percentile
from bench.servers import Servers
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.delivery import DestinationSpec
from supportops.delivery.claims import claim
from supportops.store import migrate, open_store
from tests.support.backlog import DESTINATION, fill
from tests.support.databases import on_the_side

DEPTHS = (1_000, 50_000, 1_000_000)
CLAIMS = 15
LIMITS = (50, 300)  # rows of one claim: what csat asks for, and Salesforce or ratings under backlog
FLAT = 3.0  # times what a thousand rows take: indexes grow by a level or two
PACKAGE = "notifier"  # any service's tables: they have the engine's
SPEC = DestinationSpec(DESTINATION, concurrency=64, lane_pace=None)


def measure(servers: Servers) -> list[Figure]:
    """Each row in a lane of its own: as many lanes as rows."""
    url = servers.new_database()
    on_the_side(lambda: migrate.upgrade(url, PACKAGE))
    taken = asyncio.run(_all_depths(url))
    figures = []
    for limit in LIMITS:
        first = percentile(taken[DEPTHS[0], limit], 0.5)
        for depth in DEPTHS:
            p50, p99 = (percentile(taken[depth, limit], share) for share in (0.5, 0.99))
            name = f"claim of {limit} rows behind {depth:,}, p50"
            target, note = f"<= {FLAT:.0f} x that of {DEPTHS[0]:,}", f"p99 {p99:.1f} ms"
            figures.append(Figure(name, p50, "ms", target, p50 <= FLAT * first, note=note))
    return figures


async def _all_depths(url: str) -> dict[tuple[int, int], Sequence[float]]:
    settings = DatabaseSettings(url=SecretStr(url))
    taken: dict[tuple[int, int], Sequence[float]] = {}
    async with open_store(settings, clock=SystemClock(), patient=True) as store:
        for depth in DEPTHS:
            for limit in LIMITS:
                await fill(store, depth, depth)
                await claim(store, SPEC, 1)  # the first one plans
                times = []
                for _ in range(min(CLAIMS, depth // limit)):
                    begun = time.monotonic()
                    found = await claim(store, SPEC, limit)
                    times.append((time.monotonic() - begun) * 1000)
                    if not found.deliveries:
                        raise RuntimeError("nothing was claimed")
                taken[depth, limit] = times
    return taken
