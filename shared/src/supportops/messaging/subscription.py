"""Reading topics as a member of a consumer group, on aiokafka: polling, rebalances, offsets after work.

One task polls; a few tasks work, each on one batch over all partitions that have records waiting: while a transaction
is under way the next batch grows, so that little traffic is handled at once and much traffic cheaply. Back-pressure is
not fetching for full partitions (`pause` would throw their buffers away).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from supportops.errors import Retryable, SupportOpsError
from supportops.messaging.kafka import Broker, connection_options
from supportops.messaging.ports import Record, Settle

COMMIT_EVERY = 1.0  # seconds
FULL_FETCH = 256 * 1024  # bytes that end the wait of a consumer that lingers
WORKERS = 2  # batches in hand at once: one is written while the next is decoded
LEAVE_TIME = 5.0  # seconds for leaving the group
COMMIT_TIME = 5.0  # seconds that a commit may take; a lost one means that a batch is delivered again
_log = structlog.get_logger("consumer")


class Stalled(SupportOpsError):
    """Records wait and none was finished for too long: the process gives up, its supervisor starts a new one."""


@dataclass
class _Lane:
    """One assigned partition: what waits, what is finished, what is committed."""

    partition: TopicPartition
    waiting: deque[Record] = field(default_factory=deque)
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # no record of it is in a batch in hand
    next_offset: int | None = None
    committed: int | None = None

    def __post_init__(self) -> None:
        self.idle.set()


Batch = list[tuple[_Lane, list[Record]]]


@dataclass(frozen=True)
class Take:
    """How much is taken at once: records per batch, and how long the broker may wait to hand over more."""

    max_batch: int
    linger: timedelta = timedelta(0)


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """Feeds the records of a group's topics to `settle`, in order per partition, batch by batch."""

    def __init__(self, broker: Broker, group: str, topics: Sequence[str], settle: Settle, take: Take) -> None:
        self._broker = broker
        self._group = group
        self._topics = tuple(topics)
        self._settle = settle
        self._max_batch = take.max_batch
        self._linger = take.linger
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._room = asyncio.Event()
        self._more = asyncio.Event()
        self._failed: asyncio.Future[None] | None = None
        self._consumer: Any = None
        self.last_progress = time.monotonic()
        self._behind_since: float | None = None
        self.lag: dict[str, int] = dict.fromkeys(self._topics, 0)
        self._drain = 2.0 if broker.embedded else 15.0

    # -- the consumer library calls these two; they must not raise, and take no lock of the poll loop ----------

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Their records are ours from now on."""
        self._lanes |= {partition: _Lane(partition) for partition in assigned}
        self.last_progress = time.monotonic()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish the batches in hand, commit what is finished; what only waited goes to the new owner."""
        lanes = [self._lanes.pop(partition) for partition in revoked if partition in self._lanes]
        await self._close(lanes)

    # ----------------------------------------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping`; raises what `settle` raised, or Stalled."""
        self._failed = asyncio.get_running_loop().create_future()
        stop = asyncio.ensure_future(_first(stopping, self._failed))
        try:
            if not await self._start(stop):
                return
            tasks = [
                asyncio.create_task(work) for work in (self._tick(), *(self._work() for _ in range(WORKERS)))
            ]
            try:
                await self._poll(stop)
            finally:
                await self._close([self._lanes.pop(partition) for partition in list(self._lanes)])
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._leave()
            if self._failed.done():
                self._failed.result()
        finally:
            stop.cancel()

    async def _start(self, stop: "asyncio.Future[None]") -> bool:
        """Join the group; a broker that is away is waited for. False when stopped meanwhile."""
        while not stop.done():
            self._consumer = self._new_consumer()
            self._consumer.subscribe(self._topics, listener=self)
            try:
                await self._broker.prepare()
                await self._consumer.start()
                return True
            except (KafkaError, OSError, Retryable) as error:
                _log.warning("consumer.waits_for_broker", group=self._group, error=str(error))
                await self._leave()
                await asyncio.wait((stop,), timeout=1)
        return False

    async def _leave(self) -> None:
        """Leave the group and close. With the broker away the library may take its time or be cut off by a
        cancellation of its own making: neither is to become ours.
        """
        leaving = asyncio.ensure_future(self._consumer.stop())
        await asyncio.wait((leaving,), timeout=LEAVE_TIME)
        if not leaving.done() or leaving.cancelled() or leaving.exception() is not None:
            _log.warning("consumer.left_untidily", group=self._group)
            leaving.cancel()

    def _new_consumer(self) -> Any:
        embedded, linger = self._broker.embedded, round(self._linger.total_seconds() * 1000)
        return AIOKafkaConsumer(
            group_id=self._group,
            group_instance_id=self._broker.settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20 if embedded else (linger or 500),
            fetch_min_bytes=FULL_FETCH if linger and not embedded else 1,
            session_timeout_ms=2_000 if embedded else 10_000,
            heartbeat_interval_ms=200 if embedded else 3_000,
            rebalance_timeout_ms=8_000 if embedded else 60_000,
            max_partition_fetch_bytes=1024 * 1024,
            # Waiting for our database may take long and is no reason to leave the group: our own watch is `Stalled`.
            max_poll_interval_ms=3_600_000,
            **connection_options(self._broker.settings),
        )

    async def _poll(self, stop: "asyncio.Future[None]") -> None:
        while not stop.done():
            ready = [p for p, lane in self._lanes.items() if len(lane.waiting) < self._max_batch]
            if not ready and self._lanes:
                self._room.clear()
                await _first_of(self._room, stop, timeout=1)
                continue
            try:
                polled = await self._consumer.getmany(*ready, timeout_ms=200, max_records=4 * self._max_batch)
            except IllegalStateError:  # a partition left us between the two lines above
                continue
            except KafkaError as error:
                _log.warning("consumer.poll_failed", group=self._group, error=str(error))
                await asyncio.wait((stop,), timeout=1)
                continue
            for partition, records in polled.items():
                self._hand_over(partition, records)

    def _hand_over(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        lane = self._lanes.get(partition)
        if lane is not None:
            lane.waiting.extend(records)
            self._more.set()
            return
        # They came before the assignment callback, or after the revocation: give them back, never drop them.
        with contextlib.suppress(IllegalStateError):
            self._consumer.seek(partition, records[0].offset)

    async def _work(self) -> None:
        """Settle what waits, whatever partitions it is of: few large transactions instead of many small ones."""
        try:
            while True:
                if not (batch := self._take()):
                    self._more.clear()
                    await self._more.wait()
                    continue
                await self._settle_batch(batch)
        except Exception as error:  # noqa: BLE001  # whatever settle raises ends the consumer, with the offset before the batch
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _settle_batch(self, batch: Batch) -> None:
        try:
            await self._settle([record for _, records in batch for record in records])
            for lane, records in batch:
                lane.next_offset = records[-1].offset + 1
        finally:
            for lane, _ in batch:
                lane.idle.set()
        self.last_progress = time.monotonic()
        self._room.set()
        self._more.set()  # for a partition whose next records waited for these

    def _take(self) -> Batch:
        """The next batch: consecutive records of partitions that are in no batch in hand, a fair share of each."""
        ready = [lane for lane in self._lanes.values() if lane.waiting and lane.idle.is_set()]
        batch = []
        for lane in ready:
            share = min(len(lane.waiting), max(1, self._max_batch // len(ready)))
            batch.append((lane, [lane.waiting.popleft() for _ in range(share)]))
            lane.idle.clear()
        return batch

    async def _close(self, lanes: list[_Lane]) -> None:
        """Wait for the batches in hand, for a while: what is late is redelivered, and the inbox knows it."""
        for lane in lanes:
            lane.waiting.clear()
        if lanes:
            busy = asyncio.gather(*(lane.idle.wait() for lane in lanes))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._drain):
                    await busy
        await self._commit(lanes)

    async def _commit(self, lanes: Iterable[_Lane]) -> None:
        """Commit the next offset of each partition; a partition that moved away is redelivered there."""
        ahead = [
            lane for lane in lanes if lane.next_offset is not None and lane.next_offset != lane.committed
        ]
        if not ahead:
            return
        offsets = {lane.partition: lane.next_offset for lane in ahead}
        try:
            async with asyncio.timeout(
                COMMIT_TIME
            ):  # the library would try for as long as the broker is away
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            _log.info("consumer.commit_moved", group=self._group, error=str(error))
        except (KafkaError, TimeoutError) as error:
            _log.warning("consumer.commit_failed", group=self._group, error=str(error))
        else:
            for lane in ahead:
                lane.committed = offsets[lane.partition]

    async def _tick(self) -> None:
        """Commit and measure the lag, once a second."""
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            await self._commit(list(self._lanes.values()))
            lag = dict.fromkeys(self._topics, 0)
            for lane in self._lanes.values():
                lag[lane.partition.topic] += self._lag_of(lane)
            self.measured(lag)

    def _lag_of(self, lane: _Lane) -> int:
        end = self._consumer.highwater(lane.partition)
        if end is None or lane.next_offset is None:
            return len(lane.waiting)
        return max(0, int(end) - lane.next_offset)

    @property
    def partitions(self) -> int:
        """How many partitions this member has now."""
        return len(self._lanes)

    def measured(self, lag: dict[str, int]) -> None:
        """Take note of the lag per topic."""
        self.lag = lag
        if not any(lag.values()):
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()

    def stalled(self, after: timedelta) -> bool:
        """Whether records have been waiting for `after` and none was finished in that time.

        The first record after a quiet hour finds the last progress an hour old: that is no stall.
        """
        if self._behind_since is None:
            return False
        return time.monotonic() - max(self._behind_since, self.last_progress) > after.total_seconds()


async def _first(stopping: asyncio.Event, failed: "asyncio.Future[None]") -> None:
    """Returns when either has happened."""
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((waiting, failed), return_when="FIRST_COMPLETED")
    finally:
        waiting.cancel()


async def _first_of(
    event: asyncio.Event, stop: "asyncio.Future[None]", timeout: float
) -> None:  # bounds a wait on two things
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((waiting, stop), timeout=timeout, return_when="FIRST_COMPLETED")
    finally:
        waiting.cancel()
