"""Measured process: a courier with a million finished and 100,000 future rows around those that are due.

Arguments: URL COUNT SECONDS KILLED. Prints the lateness of each claim and call in seconds.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.figures import percentile
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, LogSettings
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime.supervisor import run
from supportops.store import Store, open_store
from supportops.store.engine import async_url

DONE, FUTURE = 1_000_000, 100_000
FILL = """
INSERT INTO deliveries (id, destination, lane, position, key, generation, state, due_at, next_attempt_at, payload,
                        attempts, uncertain, created_at, finished_at)
SELECT :state || n, 'bench.survey', 't' || n, n, :state || n, 1, :state, now() + :due, now() + :due, '{}', 0, false,
       now(), CASE WHEN :state = 'done' THEN now() END
FROM generate_series(1, :rows) n
"""


class Surveys:
    """A destination that answers at once and notes how late it was called."""

    def __init__(self) -> None:
        self.spec = DestinationSpec("bench.survey", concurrency=16, idempotent=True)
        self.claimed: list[float] = []
        self.called: list[float] = []

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Note the lateness of claim and call."""
        now = datetime.now(UTC)
        for delivery in deliveries:
            self.claimed.append((delivery.claimed_at - delivery.due_at).total_seconds())
            self.called.append((now - delivery.due_at).total_seconds())
        return [Done() for _ in deliveries]


async def main(url: str, count: str, seconds: str) -> int:
    """Schedule `count` rows over `seconds` and deliver them."""
    await fill(url)
    async with open_store(DatabaseSettings(url=url), clock=SystemClock()) as store:
        surveys, stopping = Surveys(), asyncio.Event()
        start = datetime.now(UTC) + timedelta(seconds=10)
        await schedule(store, int(count), start, float(seconds))
        courier = asyncio.create_task(Courier(store, [surveys], Metrics()).run(stopping))
        while len(surveys.called) < int(count):  # noqa: ASYNC110  # counted by the destination
            await asyncio.sleep(0.05)
        stopping.set()
        await courier
    names = ("claimed", "called")
    result = {
        f"{name}_{share}": percentile(getattr(surveys, name), share)
        for name in names
        for share in (0.5, 0.99)
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


async def fill(url: str) -> None:
    """What a year of work leaves behind, and what is still to come; not with the time-outs of a service."""
    engine = create_async_engine(async_url(url))
    async with engine.begin() as conn:
        for state, rows, due in (("done", DONE, -timedelta(days=2)), ("waiting", FUTURE, timedelta(days=1))):
            await conn.execute(text(FILL), {"state": state, "rows": rows, "due": due})
    await engine.dispose()


async def schedule(store: Store, count: int, start: datetime, seconds: float) -> None:
    """`count` rows, evenly spread."""
    for first in range(0, count, 1000):
        async with store.transaction() as tx:
            for number in range(first, min(first + 1000, count)):
                due = start + timedelta(seconds=seconds * number / count)
                tx.deliveries.schedule(
                    "bench.survey", f"due{number}", lane=f"due{number}", payload={}, due_at=due
                )


if __name__ == "__main__":
    configure(LogSettings(), service="bench", secrets=())
    run(main(*sys.argv[1:4]))
