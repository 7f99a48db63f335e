"""One consumer group of a service: batch in, one transaction, offsets after it.

A batch that fails is done again record by record, so that only the poison one goes to the dead letters. An outage of
our database or of the broker is nobody's poison: the partition waits, without bound and visibly.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from supportops.contracts import EVENTS, Event, decode, event_type, reprocess_group
from supportops.errors import Retryable, TooManyDeadLetters, Undecodable
from supportops.messaging.dead_letter import bury
from supportops.messaging.handlers import Handlers
from supportops.messaging.kafka import Broker
from supportops.messaging.ports import Record
from supportops.messaging.subscription import Stalled, Subscription, Take
from supportops.observability.logging import info_each
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.inbox import take_new

_log = structlog.get_logger("consumer")


@dataclass(frozen=True)
class ConsumerPolicy:
    """How a consumer behaves in good and bad times."""

    max_batch: int = 500
    tries: int = 3  # of one record, before it is a dead letter
    retry_wait: timedelta = timedelta(milliseconds=200)
    outage_wait: timedelta = timedelta(seconds=1)
    dead_letters_in_a_row: int = 50
    stalled_after: timedelta = timedelta(minutes=2)
    topics: tuple[str, ...] = ()  # default: those of the events that have a handler
    linger: timedelta = timedelta(
        0
    )  # how long the broker may hold records back to hand over more of them at once


UNHURRIED = ConsumerPolicy(linger=timedelta(milliseconds=200))
"""For consumers whose work is not waited for by anybody: a fraction of the transactions, and of the broker's work."""


class Consumer:
    """Takes a group's topics, runs its handlers, and never acknowledges what is not done."""

    def __init__(
        self,
        broker: Broker,
        store: Store,
        handlers: Handlers,
        *,
        group: str,
        metrics: Recorder,
        policy: ConsumerPolicy | None = None,
    ) -> None:
        self.name = f"consumer:{group}"  # as logs and readiness call it
        self._broker = broker
        self._store = store
        self._handlers = handlers
        self._group = group
        self._metrics = metrics
        self._policy = policy or ConsumerPolicy()
        self._dead_in_a_row = 0
        self._waiting_since: float | None = None
        topics = self._policy.topics or handlers.topics()
        take = Take(self._policy.max_batch, self._policy.linger)
        self.subscription = Subscription(broker, group, topics, self.settle, take)

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping`. Raises TooManyDeadLetters, or Stalled when nothing moves though it should."""
        watching = asyncio.create_task(self._watch())
        consuming = asyncio.create_task(self.subscription.run(stopping))
        try:
            await asyncio.wait((watching, consuming), return_when="FIRST_COMPLETED")
            if watching.done():
                watching.result()
            await consuming
        finally:
            watching.cancel()
            if not consuming.done():
                consuming.cancel()
                await asyncio.wait((consuming,))

    def stalled(self, after: timedelta) -> bool:
        """For readiness: records wait and none was finished for `after`."""
        return self.subscription.stalled(after)

    def waiting_for(self) -> timedelta:
        """For readiness: how long we have been waiting for our database or the broker; zero when we are not."""
        since = self._waiting_since
        return timedelta(0) if since is None else timedelta(seconds=time.monotonic() - since)

    async def settle(self, records: Sequence[Record]) -> None:
        """Handle consecutive records of one partition for good; see the module's text."""
        batch: dict[str, tuple[Event, Record]] = {}  # by event id: one that came twice is one
        for record in records:
            kind = event_type(record.headers)
            if (kind and not self._handlers.wants(kind)) or not self._meant_for_us(record):
                self._count(kind if kind in EVENTS else "unknown", "ignored")
                continue
            try:
                event = decode(record.headers, record.value)
            except Undecodable as error:
                await self._settle_batch(
                    batch
                )  # in the order of the records, so that "in a row" means what it says
                batch = {}
                await self._bury(record, "decode", str(error), attempts=1)
            else:
                batch.setdefault(event.id, (event, record))
        await self._settle_batch(batch)

    def _meant_for_us(self, record: Record) -> bool:
        return reprocess_group(record.headers) in (None, self._group)

    async def _settle_batch(self, batch: dict[str, tuple[Event, Record]]) -> None:
        tries = 0
        events = [event for event, _ in batch.values()]
        while events:
            try:
                await self._transact(events)
            except Exception as error:  # noqa: BLE001  # the one loop: outage waits, a batch is split, a poison record is buried
                if is_outage(error):
                    await self._wait("database", error)
                    continue
                if len(batch) > 1:
                    for event_id, one in batch.items():
                        await self._settle_batch({event_id: one})
                    return
                tries += 1
                if tries >= self._policy.tries:
                    await self._bury(batch[events[0].id][1], "handle", _reason(error), attempts=tries)
                    return
                await asyncio.sleep(self._policy.retry_wait.total_seconds())
            else:
                self._waiting_since = None
                self._dead_in_a_row = 0
                return

    async def _transact(self, events: list[Event]) -> None:
        started = time.monotonic()
        async with self._store.transaction() as tx:
            new = await take_new(tx.conn, self._group, [event.id for event in events], tx.now)
            fresh = [event for event in events if event.id in new]
            if fresh:
                await self._handlers.run(fresh, tx)
        self._tell(events, new, time.monotonic() - started)

    def _tell(self, events: list[Event], new: set[str], took: float) -> None:
        """One wide line per event, and the figures of the batch."""
        self._metrics.observe("consumer_batch_seconds", took, group=self._group)
        self._metrics.observe("consumer_batch_events", len(events), group=self._group)
        counted: Counter[tuple[str, str]] = Counter()
        lines = []
        batch = {"batch": len(events), "batch_ms": round(took * 1000, 1)}
        for event in events:
            outcome = "handled" if event.id in new else "duplicate"
            counted[event.type, outcome] += 1
            line = {
                "group": self._group,
                "event_id": event.id,
                "type": event.type,
                "subject": event.subject,
                "correlation_id": event.root_id,
                "outcome": outcome,
            }
            lines.append(line | batch)
        info_each("event.received", lines)
        for (kind, outcome), number in counted.items():
            self._count(kind, outcome, number)

    def _count(self, kind: str, outcome: str, number: int = 1) -> None:
        self._metrics.count("consumer_events", number, group=self._group, type=kind, outcome=outcome)

    async def _bury(self, record: Record, stage: str, reason: str, attempts: int) -> None:
        """Put the record among the dead letters; the offset moves only after the broker has it."""
        self._dead_in_a_row += 1
        if self._dead_in_a_row > self._policy.dead_letters_in_a_row:
            raise TooManyDeadLetters(f"{self._dead_in_a_row} dead letters in a row, last: {stage}: {reason}")
        letter = bury(record, self._group, stage, reason, attempts)
        while True:
            try:
                await self._broker.publish([letter])
            except Retryable as error:
                await self._wait("broker", error)
            else:
                break
        self._waiting_since = None
        self._metrics.count("dead_letters", group=self._group, stage=stage)
        _log.error(
            "event.dead_lettered",
            group=self._group,
            stage=stage,
            reason=reason[:300],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )

    async def _wait(self, what: str, error: BaseException) -> None:
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        _log.warning("consumer.waits", group=self._group, what=what, error=str(error)[:300])
        await asyncio.sleep(self._policy.outage_wait.total_seconds())

    async def _watch(self) -> None:
        """A consumer that stands still though nothing is away is broken: say so and end."""
        while True:
            await asyncio.sleep(1)
            for topic, lag in self.subscription.lag.items():
                self._metrics.gauge("consumer_lag_events", lag, group=self._group, topic=topic)
            if self._waiting_since is None and self.stalled(self._policy.stalled_after):
                raise Stalled(f"{self._group}: records wait, none finished for {self._policy.stalled_after}")


def _reason(error: Exception) -> str:
    """The first line: what follows in a database's message are statements and customers' values."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}"
