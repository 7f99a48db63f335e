"""Accepting a webhook: its rows are committed (or spooled) before the answer, many in one transaction
(design §6).

A request puts its webhook into a queue and waits. One writer takes what is there, stores it in one
transaction and releases the waiting requests: under load one commit serves hundreds. The broker is never
waited for: the relay hears of the commit. While the database is away the same batches go to the spool,
which is drained, in order, when it is back.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import select

from ingest import rawlog
from ingest.rawlog import Received, Webhook
from ingest.spool import Segment, Spool, SpoolFailed
from ingest.zendesk import Account
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage

COMMIT_TIME: Final = timedelta(seconds=3)  # Zendesk gives up after 12 s (zendesk.md 1.4)
PROBE_EVERY: Final = timedelta(milliseconds=500)
BATCH: Final = 256
DRAIN_BATCH: Final = 200

Kept = Literal["stored", "spooled"]
_log = get_logger("ingest.intake")


class NotKept(Exception):
    """Neither the database nor the disk took the webhook: Zendesk must send it again."""


class _Waiting:
    """A webhook in the queue and the request that waits for it."""

    __slots__ = ("kept", "webhook")

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()


class Intake:
    """Keeps webhooks. A component: `run` writes what `accept` queues and drains the spool."""

    name = "intake"

    def __init__(self, store: Store, spool: Spool, account: Account, metrics: Recorder) -> None:
        self._store = store
        self._spool = spool
        self._account = account
        self._metrics = metrics
        self._queue: list[_Waiting] = []
        self._work = asyncio.Event()
        self._spooled = asyncio.Event()
        self._running = False
        self._in_spool = 0
        self._away = False  # the database; then batches go straight to the spool
        self._abandoned: set[asyncio.Task[set[str]]] = set()

    @property
    def away(self) -> bool:
        """Whether webhooks go to the spool now."""
        return self._away

    async def accept(self, received: Received) -> Kept:
        """Keep a signed request. Returns when it is durable; raises NotKept when it cannot be kept."""
        waiting = _Waiting(self._examine(received))
        if self._running:
            self._queue.append(waiting)
            self._work.set()
        else:  # the writer has stopped (or not begun): a late request serves itself
            await self._settle([waiting])
        return await waiting.kept

    async def run(self, stopping: asyncio.Event) -> None:
        """Write and drain until `stopping`, then what is still queued."""
        self._running = True
        if self._spool.waiting():
            self._spooled.set()
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(self._drain_regularly())
            stop = group.create_task(self._nudge(stopping))
            while not stopping.is_set():
                await self._work.wait()
                self._work.clear()
                await self._write_queue()
            self._running = False
            await self._write_queue()
            draining.cancel()
            stop.cancel()
        self._spool.close()

    async def _nudge(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._work.set()

    def _examine(self, received: Received) -> Webhook:
        try:
            return rawlog.examine(received, self._account)
        except Exception as error:  # noqa: BLE001  # our bug must not lose a body: parked, loudly, for a replay
            _log.exception("webhook.unreadable")
            return rawlog.unexamined(received, self._account, error)

    async def _write_queue(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
            await self._settle(batch)

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Store or spool a batch and release its requests. Raises nothing: the requests get the outcome."""
        if not self._away:
            try:
                new = await self._store_in_time([each.webhook for each in batch])
            except Exception as error:  # noqa: BLE001  # the writer's loop; every error ends in the spool or a park
                await self._not_stored(batch, error)
                return
            self._release(batch, new)
            return
        await self._spool_batch(batch)

    async def _store_in_time(self, hooks: Sequence[Webhook]) -> set[str]:
        """Store, or TimeoutError when the database takes too long; then the attempt is left to end by itself.

        It may still commit: the webhooks are spooled as well then, and their keys make it one.
        """
        storing = asyncio.create_task(self._store_all(hooks))
        done, _ = await asyncio.wait({storing}, timeout=COMMIT_TIME.total_seconds())
        if done:
            return storing.result()
        storing.cancel()
        self._abandoned.add(storing)
        storing.add_done_callback(self._forget)
        raise TimeoutError(f"the database took more than {COMMIT_TIME.total_seconds():g} s")

    def _forget(self, task: "asyncio.Task[set[str]]") -> None:
        self._abandoned.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("intake.late_error", error=type(error).__name__)

    async def _store_all(self, hooks: Sequence[Webhook]) -> set[str]:
        async with self._store.transaction() as tx:
            return await rawlog.add(tx, hooks)

    async def _not_stored(self, batch: Sequence[_Waiting], error: Exception) -> None:
        if isinstance(error, TimeoutError) or is_outage(error):
            _log.error("intake.database_away", error=type(error).__name__, webhooks=len(batch))
            self._away = True
            await self._spool_batch(batch)
        elif len(batch) > 1:  # one of them is poison: find it, let the others pass
            for each in batch:
                await self._settle([each])
        else:
            await self._park(batch[0], error)

    async def _park(self, waiting: _Waiting, error: Exception) -> None:
        _log.error("webhook.unstorable", key=waiting.webhook.key, error=type(error).__name__)
        waiting.webhook = rawlog.unstorable(waiting.webhook, error)
        try:
            new = await self._store_in_time([waiting.webhook])
        except Exception as again:  # noqa: BLE001  # whatever it is, the disk is next
            _log.error("webhook.unparkable", error=type(again).__name__)
            await self._spool_batch([waiting])
            return
        self._release([waiting], new)

    def _release(self, batch: Sequence[_Waiting], new: set[str]) -> None:
        tally: dict[str, int] = {}
        for each in batch:
            disposition: str = each.webhook.reading.disposition if each.webhook.key in new else "duplicate"
            tally[disposition] = tally.get(disposition, 0) + 1
            if not each.kept.done():
                each.kept.set_result("stored")
            if disposition == "parked":
                _log.warning("webhook.parked", key=each.webhook.key, reason=each.webhook.reading.reason)
        for disposition, count in tally.items():
            self._metrics.count("webhooks", count, disposition=disposition)

    async def _spool_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            await asyncio.to_thread(self._spool.append, [each.webhook.received for each in batch])
        except SpoolFailed as error:
            _log.error("spool.failed", error=str(error), webhooks=len(batch))
            for each in batch:
                if not each.kept.done():
                    each.kept.set_exception(NotKept(str(error)))
            return
        self._metrics.count("webhooks", len(batch), disposition="spooled")
        self._count_spooled(len(batch))
        self._spooled.set()
        for each in batch:
            if not each.kept.done():
                each.kept.set_result("spooled")

    def _count_spooled(self, change: int) -> None:
        """The gauge counts what this process spooled; what an earlier one left is seen when it is drained."""
        self._in_spool = max(0, self._in_spool + change)
        self._metrics.gauge("spool_bodies", self._in_spool)

    async def _drain_regularly(self) -> None:
        while True:
            await self._spooled.wait()
            self._spooled.clear()
            while self._away or self._spool.waiting():
                try:
                    if not await self._drain():
                        await asyncio.sleep(PROBE_EVERY.total_seconds())
                except Exception as error:  # noqa: BLE001  # the drainer's loop; the spool keeps what is in it
                    _log.info("spool.drain_waits", error=type(error).__name__, outage=is_outage(error))
                    await asyncio.sleep(PROBE_EVERY.total_seconds())

    async def _drain(self) -> bool:
        """Move the oldest segment into the database; False when there is none for us."""
        segment = await asyncio.to_thread(self._spool.take)
        if segment is None:
            async with self._store.reading() as conn:
                await conn.execute(select(1))
            self._away = False
            return False
        try:
            await self._store_segment(segment)
        except BaseException:
            self._spool.release(segment)
            raise
        await asyncio.to_thread(self._spool.done, segment)
        _log.info("spool.drained", webhooks=len(segment.received), damaged_bytes=segment.damaged)
        return True

    async def _store_segment(self, segment: Segment) -> None:
        for start in range(0, len(segment.received), DRAIN_BATCH):
            hooks = [self._examine(received) for received in segment.received[start : start + DRAIN_BATCH]]
            try:
                await self._store_all(hooks)
            except Exception as error:
                if is_outage(error):
                    raise
                await self._store_singly(hooks)
            # New webhooks go to the database again while we go on: consumers do not rely on the order of roads.
            self._away = False
            self._count_spooled(-len(hooks))

    async def _store_singly(self, hooks: Sequence[Webhook]) -> None:
        for hook in hooks:
            try:
                await self._store_all([hook])
            except Exception as error:
                if is_outage(error):
                    raise
                _log.error("webhook.unstorable", key=hook.key, error=type(error).__name__)
                await self._store_all([rawlog.unstorable(hook, error)])
