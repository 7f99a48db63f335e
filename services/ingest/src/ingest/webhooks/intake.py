"""Accepting a webhook: its rows are committed (or spooled) before the answer, many in one transaction.

A request puts its webhook into a queue and waits. One writer takes what is there, stores it in one
transaction and releases the waiting requests: under load one commit serves hundreds. The broker is never
waited for: the relay hears of the commit. While the database is away the same batches go to the spool,
which is drained, in order, when it is back.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, Protocol

from ingest.webhooks import repository
from ingest.webhooks.parse import Account
from ingest.webhooks.repository import SignedRequest, Webhook
from ingest.webhooks.spool import Segment, Spool, SpoolFailed
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Transaction, is_outage

COMMIT_TIME: Final = timedelta(seconds=3)  # Zendesk gives up after 12 s (docs/vendors/zendesk.md#answers)
PROBE_EVERY: Final = timedelta(milliseconds=500)
LET_GO_TIME: Final = 1.0  # seconds for an attempt to end when it is cancelled
BATCH: Final = 256
TURNS: Final = 4
CROWD: Final = 16  # webhooks waiting at once: a burst
LINGER: Final = 0.003  # seconds
DRAIN_BATCH: Final = 200

Kept = Literal["stored", "spooled"]
_log = get_logger("ingest.intake")


class Database(Protocol):
    """What the intake needs of a store."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One transaction, committed when the block ends."""
        ...


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

    def __init__(self, store: Database, spool: Spool, account: Account, metrics: Recorder) -> None:
        self._store = store
        self._spool = spool
        self._account = account
        self._metrics = metrics
        self._queue: list[_Waiting] = []
        self._work = asyncio.Event()
        self._look = asyncio.Event()  # at the spool, or whether the database is back
        self.running = False
        self._in_spool = 0
        self._away = False  # the database; then batches go straight to the spool
        self._waits = LimitedWarnings(_log)
        self._attempts: set[asyncio.Task[set[str] | Exception]] = set()

    @property
    def away(self) -> bool:
        """Whether webhooks go to the spool now."""
        return self._away

    async def accept(self, received: SignedRequest) -> Kept:
        """Keep a signed request. Returns when it is durable; raises NotKept when it cannot be kept."""
        waiting = _Waiting(self._examine(received))
        if self.running:
            self._queue.append(waiting)
            self._work.set()
        else:  # the writer has stopped (or not begun): a late request serves itself
            await self._store_batch([waiting])
        return await waiting.kept

    async def run(self, stopping: asyncio.Event) -> None:
        """Write and drain until `stopping`, then what is still queued."""
        self.running = True
        self._look.set()  # an earlier process may have left something
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(self._drain_regularly())
            stop = group.create_task(self._nudge(stopping))
            while not stopping.is_set():
                await self._work.wait()
                self._work.clear()
                await self._write_queue()
            self.running = False
            await self._write_queue()
            draining.cancel()
            stop.cancel()
        self._spool.close()

    async def _nudge(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._work.set()

    def _examine(self, received: SignedRequest) -> Webhook:
        try:
            return repository.parse_request(received, self._account)
        except Exception as error:  # noqa: BLE001  # our bug must not lose a body: parked, loudly, for a replay
            self._waits.error("webhook.unreadable", type(error).__name__, exc_info=error)
            return repository.unexamined(received, self._account, error)

    async def _write_queue(self) -> None:
        while self._queue:
            await self._gather()
            batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
            await self._store_batch(batch)

    async def _gather(self) -> None:
        """Let requests that have arrived already join the batch: a few turns of the loop, no waiting.

        Under load also those of the senders who were answered a moment ago: one large batch costs less than two.
        """
        if len(self._queue) >= CROWD:
            await asyncio.sleep(LINGER)
        for _ in range(TURNS):
            before = len(self._queue)
            await asyncio.sleep(0)
            if len(self._queue) == before or before >= BATCH:
                return

    async def _store_batch(self, batch: Sequence[_Waiting]) -> None:
        """Store or spool a batch and release its requests. Raises nothing: the requests get the outcome."""
        if self._away:
            await self._spool_batch(batch)
            return
        result = await self._attempt([each.webhook for each in batch], COMMIT_TIME)
        if isinstance(result, set):
            self._release(batch, result)
        elif is_outage(result):
            self._waits.error("intake.database_away", type(result).__name__, webhooks=len(batch))
            self._away = True
            self._look.set()
            await self._spool_batch(batch)
        elif len(batch) > 1:  # one of them is poison: find it, let the others pass
            for each in batch:
                await self._store_batch([each])
        else:
            await self._park(batch[0], result)

    async def _park(self, waiting: _Waiting, error: Exception) -> None:
        self._waits.error("webhook.unstorable", type(error).__name__, key=waiting.webhook.key)
        waiting.webhook = repository.unstorable(waiting.webhook, error)
        result = await self._attempt([waiting.webhook], COMMIT_TIME)
        if isinstance(result, set):
            self._release([waiting], result)
        else:  # whatever it is, the disk is next
            await self._spool_batch([waiting])

    async def _attempt(self, webhooks: Sequence[Webhook], within: timedelta | None) -> set[str] | Exception:
        """The keys that were new, or why the batch is not stored; TimeoutError when it took longer than `within`.

        An attempt that took too long is left to end by itself. It may still commit: its webhooks are spooled as
        well then, and their keys make them one.
        """
        storing = asyncio.create_task(self._store_all(webhooks))
        self._attempts.add(storing)
        storing.add_done_callback(self._attempts.discard)
        try:
            await asyncio.wait({storing}, timeout=within.total_seconds() if within else None)
        finally:
            if not storing.done():
                storing.cancel()
                await asyncio.wait({storing}, timeout=LET_GO_TIME)
        if storing.done() and not storing.cancelled():
            return storing.result()
        return TimeoutError(f"the database took more than {within}")

    async def _store_all(self, webhooks: Sequence[Webhook]) -> set[str] | Exception:
        try:
            async with self._store.transaction() as tx:
                return await repository.add(tx, webhooks)
        except Exception as error:  # noqa: BLE001  # the loop's one door to the database: every error is an outcome
            return error

    def _release(self, batch: Sequence[_Waiting], new: set[str]) -> None:
        tally: dict[str, int] = {}
        for each in batch:
            first = each.webhook.key in new
            new.discard(each.webhook.key)
            disposition: str = each.webhook.reading.disposition if first else "duplicate"
            tally[disposition] = tally.get(disposition, 0) + 1
            if not each.kept.done():
                each.kept.set_result("stored")
            if disposition == "parked":
                self._waits.warning("webhook.parked", each.webhook.reading.reason, key=each.webhook.key)
        for disposition, count in tally.items():
            self._metrics.count("webhooks", count, disposition=disposition)

    async def _spool_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            await asyncio.to_thread(self._spool.append, [each.webhook.received for each in batch])
        except SpoolFailed as error:
            self._waits.error("spool.failed", "spool", error=str(error), webhooks=len(batch))
            for each in batch:
                if not each.kept.done():
                    each.kept.set_exception(NotKept(str(error)))
            return
        self._metrics.count("webhooks", len(batch), disposition="spooled")
        self._count_spooled(len(batch))
        self._look.set()
        for each in batch:
            if not each.kept.done():
                each.kept.set_result("spooled")

    def _count_spooled(self, change: int) -> None:
        """The gauge counts what this process spooled; what an earlier one left is seen when it is drained."""
        self._in_spool = max(0, self._in_spool + change)
        self._metrics.gauge("spool_bodies", self._in_spool)

    async def _drain_regularly(self) -> None:
        """Drain when there is something; what touches the disk does it in a thread, not under everybody's answers."""
        while True:
            await self._look.wait()
            self._look.clear()
            while self._away or await asyncio.to_thread(self._spool.waiting):
                try:
                    moved = await self._drain()
                except OSError as error:
                    self._waits.warning("spool.unreadable", "spool", error=str(error))
                    moved = False
                if not moved:
                    await asyncio.sleep(PROBE_EVERY.total_seconds())

    async def _drain(self) -> bool:
        """Move the oldest segment into the database; False when there is none for us, or the database is away.

        While it is away segments are left alone: taking one closes the one in hand.
        """
        if self._away and not isinstance(await self._attempt([], None), set):
            return False
        segment = await asyncio.to_thread(self._spool.take)
        if segment is None:
            self._away = False
            return False
        received = segment.content.received
        try:
            for start in range(0, len(received), DRAIN_BATCH):
                if not await self._drain_batch(received[start : start + DRAIN_BATCH]):
                    return False
            aside = await asyncio.to_thread(self._spool.done, segment)
        finally:
            self._spool.release(segment)
        self._tell_drained(segment, aside)
        return True

    def _tell_drained(self, segment: Segment, aside: Path | None) -> None:
        facts = {"segment": segment.path.name, "webhooks": len(segment.content.received)}
        if aside is not None:
            self._metrics.count("spool_damage")
            _log.error("spool.damaged", kept_as=aside.name, damaged_bytes=segment.content.damaged, **facts)
        elif not segment.content.ended:  # its process was killed, or its last frames were cut off to a byte
            _log.warning("spool.no_end", **facts)
        _log.info("spool.drained", **facts)

    async def _drain_batch(self, batch: Sequence[SignedRequest]) -> bool:
        """Store a part of a segment, one by one when there is poison in it; False: the database is away."""
        webhooks = [self._examine(received) for received in batch]
        result = await self._attempt(webhooks, None)
        if not isinstance(result, set) and not is_outage(result):
            result = await self._store_singly(webhooks)
        if not isinstance(result, set):
            self._waits.warning("spool.drain_waits", type(result).__name__)
            return False
        # New webhooks go to the database again while we go on: consumers do not rely on the order of roads.
        self._away = False
        self._count_spooled(-len(webhooks))
        return True

    async def _store_singly(self, webhooks: Sequence[Webhook]) -> set[str] | Exception:
        for webhook in webhooks:
            result = await self._attempt([webhook], None)
            if not isinstance(result, set) and not is_outage(result):
                self._waits.error("webhook.unstorable", type(result).__name__, key=webhook.key)
                result = await self._attempt([repository.unstorable(webhook, result)], None)
            if not isinstance(result, set):
                return result
        return set()
