"""Reading topics as a member of a consumer group, on aiokafka: polling, rebalances, positions.

One task polls; a few tasks work, each on one batch over all partitions that have records waiting: while a transaction
is under way the next batch grows, so that little traffic is handled at once and much traffic cheaply. Back-pressure is
not fetching for full partitions (`pause` would throw their buffers away). Positions are the service's own rows
(`positions`); Kafka's committed offsets are written for displays of lag only.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from supportops.errors import Retryable, SupportOpsError, summary
from supportops.messaging.connection import close_for_good, connection_options
from supportops.messaging.embedded_fetch import BUSY_WAIT, EmbeddedFetch
from supportops.messaging.kafka import Broker
from supportops.messaging.lanes import Lane, Lanes
from supportops.messaging.ports import Process, Slice
from supportops.messaging.positions import Known, Positions
from supportops.messaging.progress import Progress
from supportops.messaging.reader import Reader
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.store import is_outage
from supportops.store.offsets import Position, PositionMoved
from supportops.waiting import wait_first

REPORT_EVERY = 1.0  # seconds
TOPICS_EVERY = 10.0  # seconds between looks at whether a topic was made anew
FULL_FETCH = 256 * 1024  # bytes that end the wait of a consumer that lingers
WORKERS = 2  # batches in hand at once: one is written while the next is decoded
LEAVE_TIME = 5.0  # seconds for leaving the group
LOCATE_TIME = 10.0  # seconds for finding where partitions go on, before it is tried again
LOCATE_AGAIN = 1.0  # seconds until then
_log = get_logger("supportops.consumer")


class Stalled(SupportOpsError):
    """Records wait and none was finished for too long: the process gives up, its supervisor starts a new one."""


@dataclass(frozen=True)
class Fetching:
    """How much is fetched at once: records per batch, and how long the broker may wait to hand over more."""

    max_batch: int
    linger: timedelta = timedelta(0)


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """Feeds the records of a group's topics to `process`, in order per partition, batch by batch."""

    def __init__(
        self,
        broker: Broker,
        group: str,
        topics: Sequence[str],
        process: Process,
        positions: Positions,
        fetching: Fetching,
    ) -> None:
        self._broker = broker
        self._group = group
        self._topics = tuple(topics)
        self._process = process
        self._positions = positions
        self._fetching = fetching
        self._lanes = Lanes(fetching.max_batch)
        self._room = asyncio.Event()
        self._more = asyncio.Event()
        self._lost = asyncio.Event()  # there are partitions whose position is to be found
        self._failed: asyncio.Future[None] | None = None
        self._consumer: Any = None
        self._embedded_fetch: EmbeddedFetch | None = None
        self.last_progress = time.monotonic()
        self._behind_since: float | None = None
        self._warn = LimitedWarnings(_log)
        self._unlocated_since: float | None = None
        self._reader: Reader | None = None
        self._unseen: dict[str, float] = {}  # topics that the broker does not show us, since when
        self.lag: dict[str, int] = dict.fromkeys(self._topics, 0)
        self._drain = 2.0 if broker.embedded else 15.0

    # -- the consumer library calls these two; they must not raise, and take no lock of the poll loop ----------

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Their records are ours from now on; the poll loop finds out where they go on."""
        for partition in assigned:
            self._lanes.add(partition)
        self._lost.set()
        self.last_progress = time.monotonic()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish the batches in hand; what only waited goes to the new owner."""
        await self._close([lane for partition in revoked if (lane := self._lanes.pop(partition))])

    # ----------------------------------------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping`; raises what `process` raised, or Stalled."""
        self._failed = asyncio.get_running_loop().create_future()
        stop = asyncio.ensure_future(wait_first(stopping, self._failed))
        try:
            if not await self._start(stop):
                return
            loops = (self._tick(), self._locate_all(), *(self._work() for _ in range(WORKERS)))
            tasks = [asyncio.create_task(self._guarded(loop)) for loop in loops]
            try:
                await self._poll(stop)
            finally:
                await self._close([lane for lane in self._lanes if self._lanes.pop(lane.partition)])
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._leave()
            if self._failed.done():
                self._failed.result()
        finally:
            stop.cancel()

    async def look(self) -> None:
        """Find out where all partitions go on, without joining the group: is the database the one that we knew?

        Raises what broker or database raise.
        """
        have = await self._broker.partitions()
        partitions = [TopicPartition(topic, n) for topic in self._topics for n in range(have.get(topic, 0))]
        library = self._new_consumer()
        try:
            await library.start()
            if partitions:
                library.assign(partitions)
                await self._positions.locate(library, partitions, {})
        finally:
            await close_for_good(library, LEAVE_TIME)

    async def _start(self, stop: "asyncio.Future[None]") -> bool:
        """Join the group; a broker that is away is waited for. False when stopped meanwhile."""
        while not stop.done():
            self._consumer = self._new_consumer()
            self._progress = Progress(self._consumer, self._lanes, self._positions, self._group)
            self._consumer.subscribe(self._topics, listener=self)
            try:
                await self._broker.prepare()
                await self._consumer.start()
                return True
            except (KafkaError, OSError, Retryable) as error:
                self._warn.warning("consumer.waits", "broker", group=self._group, error=summary(error))
                await self._leave()
                await asyncio.wait((stop,), timeout=1)
        return False

    async def _leave(self) -> None:
        """Leave the group and close. With the broker away the library may take its time or be cut off by a
        cancellation of its own making: neither is to become ours.
        """
        if not await close_for_good(self._consumer, LEAVE_TIME):
            _log.warning("consumer.left_untidily", group=self._group)

    def _new_consumer(self) -> Any:
        embedded, linger = self._broker.embedded, round(self._fetching.linger.total_seconds() * 1000)
        return AIOKafkaConsumer(
            group_id=self._group,
            group_instance_id=self._broker.settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a position that does not fit is ours to name; the library would say nothing
            fetch_max_wait_ms=BUSY_WAIT if embedded else (linger or 500),
            fetch_min_bytes=FULL_FETCH if linger and not embedded else 1,
            session_timeout_ms=2_000 if embedded else 10_000,
            heartbeat_interval_ms=500 if embedded else 3_000,
            rebalance_timeout_ms=8_000 if embedded else 60_000,
            max_partition_fetch_bytes=1024 * 1024,
            # Waiting for our database may take long and is no reason to leave the group: our own watch is `Stalled`.
            max_poll_interval_ms=3_600_000,
            **connection_options(self._broker.settings),
        )

    async def _poll(self, stop: "asyncio.Future[None]") -> None:
        self._reader = reader = Reader(self._consumer, self._lanes, self._group, self._changed)
        if self._broker.embedded:
            self._embedded_fetch = EmbeddedFetch(self._consumer)
        while not stop.done():
            if not await reader.poll(2 * self._fetching.max_batch):
                self._room.clear()
                await wait_first(self._room, stop, timeout=0.2)

    def _changed(self) -> None:
        """There is something to work on, or a position to find."""
        self._more.set()
        if self._embedded_fetch:
            self._embedded_fetch.records_came()
        if self._lanes.unlocated():
            self._lost.set()

    # -- where partitions go on --------------------------------------------------------------------------------

    async def _locate_all(self) -> None:
        """Find out where partitions go on, topic by topic: one that vanished holds up no other."""
        while True:
            self._lost.clear()
            by_topic: dict[str, list[Lane]] = {}
            for lane in self._lanes.unlocated():
                by_topic.setdefault(lane.partition.topic, []).append(lane)
            await asyncio.gather(*(self._locate(lanes) for lanes in by_topic.values()))
            if not self._lanes.unlocated():
                self._unlocated_since = None
                await self._lost.wait()
            else:
                self._unlocated_since = self._unlocated_since or time.monotonic()
                await wait_first(self._lost, timeout=LOCATE_AGAIN)

    async def _locate(self, lanes: list[Lane]) -> None:
        """Find and seek the positions of lanes; while database or broker are away nothing of them is read."""
        remembered = {lane.partition: lane.remembered for lane in lanes}
        try:
            async with asyncio.timeout(LOCATE_TIME):
                found = await self._positions.locate(self._consumer, list(remembered), remembered)
        except PositionMoved as moved:  # another member was quicker, or the rebalance is not over: look again
            _log.info("consumer.position_moved", group=self._group, error=str(moved))
        except Exception as error:
            if isinstance(error, KafkaError) or is_outage(error):
                self._warn.warning("consumer.waits", "positions", group=self._group, error=summary(error))
                return
            raise
        else:
            for lane in lanes:
                self._seek(lane, *found[lane.partition])
            self._room.set()

    def _seek(self, lane: Lane, position: Position, known: Known) -> None:
        if self._lanes.get(lane.partition) is not lane:
            return  # it left us meanwhile
        with contextlib.suppress(IllegalStateError):
            self._consumer.seek(lane.partition, position.next_offset)
            lane.locate(position)
            lane.committed = known.committed
            if known.reset:
                lane.remembered = 0

    # -- work --------------------------------------------------------------------------------------------------

    async def _guarded(self, loop: Coroutine[Any, Any, None]) -> None:
        """Whatever a loop raises ends the consumer; the partitions of a batch that failed stay closed."""
        try:
            await loop
        except Exception as error:  # noqa: BLE001  # raised again by `run`
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _work(self) -> None:
        """Process what waits, whatever partitions it is of: few large transactions instead of many small ones."""
        while True:
            if batch := self._lanes.next_batch():
                await self._process_batch(batch)
            else:
                self._more.clear()
                await self._more.wait()

    async def _process_batch(self, batch: list[tuple[Lane, Slice]]) -> None:
        """A failure leaves the lanes busy: nobody takes what stands behind it."""
        try:
            await self._process([piece for _, piece in batch])
        except PositionMoved as moved:
            _log.warning("consumer.position_moved", group=self._group, error=str(moved))
            for lane, _ in batch:
                lane.lose()
        finally:
            for lane, piece in batch:
                lane.finish(piece)
        for lane, _ in batch:
            lane.idle.set()
            if not lane.located:
                self._lost.set()
        self.last_progress = time.monotonic()
        self._room.set()
        self._more.set()  # for a partition whose next records waited for these

    async def _close(self, lanes: list[Lane]) -> None:
        """Wait for the batches in hand, for a while: what is late finds that its position has moved."""
        for lane in lanes:
            lane.waiting.clear()
        failed = self._failed is not None and self._failed.done()
        if lanes and not failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._drain):
                    await asyncio.gather(*(lane.idle.wait() for lane in lanes))
        await self._progress.report_positions(lanes)

    async def _tick(self) -> None:
        """Report once a second; see now and then whether the topics are still those that we read."""
        look_at = time.monotonic() + TOPICS_EVERY
        while True:
            await asyncio.sleep(REPORT_EVERY)
            if time.monotonic() >= look_at:
                await self._look_for_new_topics()
                look_at = time.monotonic() + TOPICS_EVERY
            lag = await self._progress.report()
            self.measured(dict.fromkeys(self._topics, 0) | lag)
            self.look_for_topics()
            self._more.set()  # for what came while marks were passed over
            if self._embedded_fetch:
                self._embedded_fetch.look()

    async def _look_for_new_topics(self) -> None:
        """One that was made anew while we were reading is found out late, and loses nothing by it: what was skipped is
        read when its position is found anew.
        """
        for lane in await self._progress.of_other_topics():
            lane.lose()
            self._lost.set()

    @property
    def partitions(self) -> int:
        """How many partitions this member has now."""
        return len(self._lanes)

    @property
    def located(self) -> bool:
        """Whether it is known of every partition where it goes on."""
        return not self._lanes.unlocated()

    def look_for_topics(self) -> None:
        """Take note of topics that are gone, or not ours to read any more: nothing of them is assigned to anybody."""
        for topic in self._topics:
            if self._consumer.partitions_for_topic(topic):
                self._unseen.pop(topic, None)
            else:
                self._unseen.setdefault(topic, time.monotonic())

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

    def complaints(self, after: timedelta) -> list[str]:
        """What keeps records from being read for longer than `after`, in words for an operator."""
        now, since = time.monotonic(), self._unlocated_since
        found = self._lanes.complaints(after)
        if since is not None and now - since >= after.total_seconds():
            found.append(f"waits for its positions since {round(now - since)} s")
        if self._reader is not None:
            found += self._reader.complaints(after)
        long = {topic: now - since for topic, since in self._unseen.items()}
        return found + [
            f"topic {topic} is not there or may not be read since {round(seconds)} s"
            for topic, seconds in long.items()
            if seconds >= after.total_seconds()
        ]
