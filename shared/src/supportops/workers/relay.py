"""The relay: from the outbox to the broker, at least once.

The process that wrote rows publishes them at once after its commit, everything that is there in one round. Rows that
stay (their process died, or the broker was away) are swept by anyone a few seconds later.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

from supportops.errors import Refused, Retryable, summary
from supportops.messaging.ports import Publisher
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.outbox import (
    OutboxRow,
    claim_stale,
    forget_published,
    free_what_a_wrong_clock_holds,
    set_aside,
)
from supportops.store.tables import ENGINE
from supportops.waiting import wait_first

ROUND = 500  # rows published in one round
AT_MOST_WAITING = 20_000  # rows kept in memory; more of them wait in the table for the sweep
SWEEP_EVERY = timedelta(seconds=2)
FORGET_EVERY = timedelta(milliseconds=200)
PUT_RIGHT_EVERY = 600.0  # seconds between looks for rows that a clock which was ahead has put off
_log = get_logger("supportops.relay")


class Relay:
    """Publishes this process's own rows after each commit and sweeps up what others left behind."""

    name = "relay"

    def __init__(
        self, broker: Publisher, store: Store, metrics: Recorder, *, sweep_every: timedelta = SWEEP_EVERY
    ) -> None:
        self._broker = broker
        self._store = store
        self._metrics = metrics
        self._sweep_every = sweep_every
        self._fresh: deque[OutboxRow] = deque()
        self._published: list[str] = []  # ids of rows that the broker has and the table still holds
        self._more = asyncio.Event()
        self._warn = LimitedWarnings(_log)
        store.on_outbox(self._offer)

    def _offer(self, rows: Iterable[OutboxRow]) -> None:
        """Rows of a commit; past the bound they stay in the table, where the sweep finds them."""
        self._fresh.extend(islice(rows, max(0, AT_MOST_WAITING - len(self._fresh))))
        self._more.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping`, then what is still in hand."""
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep_regularly())
            forgetting = group.create_task(self._forget_regularly())
            stop = group.create_task(stopping.wait())
            while not (stopping.is_set() and not self._fresh):
                if not self._fresh:
                    self._more.clear()
                    await wait_first(self._more, stop)
                    continue
                rows = [self._fresh.popleft() for _ in range(min(ROUND, len(self._fresh)))]
                if not await self._publish(rows):
                    self._fresh.clear()  # the broker is away: the table has them, the sweep brings them
            sweeping.cancel()
            forgetting.cancel()
        await self._forget()

    async def _publish(self, rows: list[OutboxRow]) -> bool:
        """Publish rows, each with an answer of its own; False when the broker would not."""
        started = time.monotonic()
        try:
            answers = await self._broker.send(rows)
        except Exception as error:  # noqa: BLE001  # a bug of ours: the rows stay in the table and are tried again
            self._warn.error(
                "outbox.publish_failed", type(error).__name__, rows=len(rows), error=summary(error)
            )
            return False
        pairs = list(zip(rows, answers, strict=True))
        published = [row for row, answer in pairs if answer is None]
        refused = {row: answer for row, answer in pairs if isinstance(answer, Refused)}
        again = [answer for answer in answers if isinstance(answer, Retryable)]
        self._published += [row.id for row in published]
        self._metrics.observe("outbox_publish_seconds", time.monotonic() - started)
        for topic, number in Counter(row.topic for row in published).items():
            self._metrics.count("outbox_published", number, topic=topic)
        if refused:
            await self._set_aside(refused)
        if again:
            self._warn.warning("outbox.publish_failed", "broker", rows=len(again), error=str(again[0])[:300])
        return not again

    async def _set_aside(self, refused: dict[OutboxRow, Refused]) -> None:
        """What the broker will never take is named and left alone; its neighbours pass."""
        for row, why in refused.items():
            self._metrics.count("outbox_refused", topic=row.topic)
            about = {"row": row.id, "topic": row.topic, "size": len(row.value)}
            self._warn.error("outbox.refused", row.topic, reason=str(why), **about)
        try:
            async with self._store.transaction() as tx:
                await set_aside(tx.conn, ENGINE.outbox, {row.id: str(why) for row, why in refused.items()})
        except Exception as error:  # noqa: BLE001  # swept and refused again, then set aside
            self._warn.warning(
                "outbox.set_aside_failed", "set aside", error=summary(error), expected=is_outage(error)
            )

    async def _forget_regularly(self) -> None:
        """Delete what is published a few times a second, not after each round: long before anybody sweeps it."""
        while True:
            await asyncio.sleep(FORGET_EVERY.total_seconds())
            await self._forget()

    async def _forget(self) -> None:
        """Delete the rows of published events. Where the database would not, they are kept in mind for the next time.

        Should we die before, they are swept and published again: consumers know the events by their ids.
        """
        if not (ids := list(self._published)):
            return
        try:
            async with self._store.statements() as conn:
                await forget_published(conn, ENGINE.outbox, ids)
        except Exception as error:  # noqa: BLE001  # tried again in a moment
            self._warn.warning(
                "outbox.forget_failed",
                "forget",
                rows=len(ids),
                error=summary(error),
                expected=is_outage(error),
            )
        else:
            self._published = self._published[len(ids) :]

    async def _sweep_regularly(self) -> None:
        look_at = 0.0
        while True:
            try:
                if time.monotonic() >= look_at:
                    await self._put_right()
                    look_at = time.monotonic() + PUT_RIGHT_EVERY
                swept = await self._sweep()
            except Exception as error:  # noqa: BLE001  # looked at again in a moment
                self._warn.warning(
                    "outbox.sweep_failed", "sweep", error=summary(error), expected=is_outage(error)
                )
                swept = False
            if not swept:
                await asyncio.sleep(self._sweep_every.total_seconds())

    async def _put_right(self) -> None:
        async with self._store.statements() as conn:
            if freed := await free_what_a_wrong_clock_holds(conn, ENGINE.outbox, self._store.clock.now()):
                _log.warning("outbox.freed", rows=freed, reason="put off further than is possible")

    async def _sweep(self) -> bool:
        """One round over rows that were left behind; whether there may be more."""
        async with self._store.statements() as conn:
            rows = await claim_stale(conn, ENGINE.outbox, self._store.clock.now(), ROUND)
        if not rows:
            return False
        _log.info("outbox.swept", rows=len(rows))
        return await self._publish(rows) and len(rows) == ROUND
