"""One consumer group of a service: batch in; state, outbox, deliveries and next offsets out, in one transaction.

A batch that fails is done again partition by partition and record by record, so that only the poison one goes to the
dead letters. An outage of our database or of the broker is nobody's poison: the partition waits, without bound and
visibly. Each step moves the offset with it, so that whatever ends us, nothing is done twice and nothing passed over.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from aiokafka.errors import KafkaError

from supportops.contracts import EVENTS, Event, decode, event_type, reprocess_group
from supportops.errors import Refused, Retryable, TooManyDeadLetters, Undecodable, summary
from supportops.messaging.dead_letter import DeadLetter, bury, smaller
from supportops.messaging.handlers import Handlers
from supportops.messaging.kafka import Broker
from supportops.messaging.ports import Record, Slice
from supportops.messaging.positions import Positions
from supportops.messaging.subscription import Fetching, Stalled, Subscription
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger, info_each
from supportops.observability.metrics import Recorder
from supportops.store import Store, is_outage
from supportops.store.offsets import Advance, PositionMoved, take_and_advance
from supportops.waiting import wait_first

_log = get_logger("supportops.consumer")


@dataclass(frozen=True)
class ConsumerPolicy:
    """How a consumer behaves in good and bad times."""

    max_batch: int = 500
    tries: int = 3  # of one record, before it is a dead letter
    retry_wait: timedelta = timedelta(milliseconds=200)
    outage_wait: timedelta = timedelta(seconds=1)
    dead_letters_in_a_row: int = 50  # of one partition, before it is closed
    look_time: timedelta = timedelta(
        seconds=10
    )  # for a look at where the group stands, before deliveries begin
    stalled_after: timedelta = timedelta(minutes=2)
    topics: tuple[str, ...] = ()  # default: those of the events that have a handler
    linger: timedelta = timedelta(
        0
    )  # how long the broker may hold records back to hand over more of them at once


TO_COME = "unknown"  # stage of a letter that waits for a release that knows its type
OURS = frozenset(name.partition(".")[0] for name in EVENTS)

UNHURRIED = ConsumerPolicy(linger=timedelta(milliseconds=200))
"""For consumers whose work is not waited for by anybody: a fraction of the transactions, and of the broker's work."""


@dataclass(frozen=True)
class _Reading:
    """A record and what was read of it: an event for us, nothing (somebody else's), or why it cannot be read.

    One of a type of ours that a newer release has brought is kept for that release, and counts as no failure.
    """

    record: Record
    event: Event | None = None
    unreadable: str | None = None
    stage: str = "decode"  # of the dead letter that an unreadable one becomes


@dataclass(frozen=True)
class _Wait:
    """What is being waited for, why, and since when."""

    what: str
    why: str
    since: float


type _Step = tuple[Slice, Sequence[_Reading]]


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
        self._waits: _Wait | None = None
        self._warn = LimitedWarnings(_log)
        self.looked = asyncio.Event()
        """Set once it is known whether the database was restored: only then may be delivered."""
        topics = self._policy.topics or handlers.topics()
        fetching = Fetching(self._policy.max_batch, self._policy.linger)
        positions = Positions(store, group, metrics)
        self.subscription = Subscription(broker, group, topics, self.process, positions, fetching)

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping`. Raises Stalled when nothing moves though it should."""
        await self._look(stopping)
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

    async def _look(self, stopping: asyncio.Event) -> None:
        """Before anything is delivered: a database that was restored holds deliveries that are done already.

        Bounded: a broker that is away holds up no delivery for longer than `look_time`.
        """
        looking = asyncio.ensure_future(self.subscription.look())
        await wait_first(looking, stopping, timeout=self._policy.look_time.total_seconds())
        try:
            if looking.done():
                looking.result()
            elif not stopping.is_set():
                _log.warning("consumer.looked_in_vain", group=self._group, error="no answer in time")
        except PositionMoved as moved:  # another member is at work: it has looked
            _log.info("consumer.position_moved", group=self._group, error=str(moved))
        except Exception as error:
            if is_outage(error) or isinstance(error, Retryable | KafkaError):
                _log.warning("consumer.looked_in_vain", group=self._group, error=summary(error))
                return
            raise
        finally:
            looking.cancel()
            self.looked.set()

    @property
    def waiting(self) -> bool:
        """Whether our database or the broker is being waited for."""
        return self._waits is not None

    def complaints(self, after: timedelta) -> list[str]:
        """For readiness: what keeps records from being finished, in words for an operator; empty when all is well."""
        found = self.subscription.complaints(after)
        waits = self._waits
        if waits is not None and (long := time.monotonic() - waits.since) >= after.total_seconds():
            found.append(f"waits for the {waits.what} since {round(long)} s: {waits.why}")
        elif self.subscription.stalled(after):
            found.append("events wait, none was finished for long")
        return found

    async def process(self, slices: Sequence[Slice]) -> None:
        """Handle slices of different partitions for good, all in one transaction if that can be; see the module's text.

        Raises PositionMoved when a partition is not (or no longer) where its slice began.
        """
        steps = [(piece, [self._read(record) for record in piece.records]) for piece in slices]
        readings = [reading for _, some in steps for reading in some]
        readable = not any(reading.unreadable for reading in readings)
        if readable and len(readings) > 1 and await self._failure(steps) is None:
            return
        for piece, some in steps:
            await self._one_partition(piece, some)

    def _read(self, record: Record) -> _Reading:
        kind = event_type(record.headers)
        meant_for_us = reprocess_group(record.headers) in (None, self._group)
        if kind and meant_for_us and _is_to_come(kind):
            self._count("unknown", "kept")
            return _Reading(record, unreadable=f"this release does not know {kind[:100]}", stage=TO_COME)
        if (kind and not self._handlers.wants(kind)) or not meant_for_us:
            self._count(kind if kind in EVENTS else "unknown", "ignored")
            return _Reading(record)
        try:
            return _Reading(record, decode(record.headers, record.value))
        except Undecodable as error:
            return _Reading(record, unreadable=str(error))

    async def _one_partition(self, piece: Slice, readings: Sequence[_Reading]) -> None:
        """In the order of the records: what can be read in runs, what cannot by itself."""
        try:
            for run in _runs(readings):
                if (why := run[0].unreadable) is not None:
                    await self._bury(piece, run[0].record, run[0].stage, why, attempts=1)
                elif len(run) == 1 or await self._failure([(piece, run)]) is not None:
                    for one in run:
                        await self._alone(piece, one)
        except TooManyDeadLetters as ceiling:
            piece.closed = str(ceiling)
            self._log_closed(piece)

    async def _alone(self, piece: Slice, reading: _Reading) -> None:
        """A record by itself, a few times; then it is a dead letter."""
        tries = self._policy.tries
        for attempt in range(1, tries + 1):
            error = await self._failure([(piece, [reading])])
            if error is None:
                return
            if attempt == tries:
                await self._bury(piece, reading.record, "handle", summary(error), attempts=tries)
            else:
                await asyncio.sleep(self._policy.retry_wait.total_seconds())

    async def _failure(self, steps: Sequence[_Step]) -> Exception | None:
        """Do the steps in one transaction. An outage is waited for; any other error of it is returned."""
        while True:
            try:
                await self._transact(steps)
            except PositionMoved:
                raise
            except Exception as error:  # noqa: BLE001  # an outage waits; the caller narrows down whatever else it is
                if not is_outage(error):
                    return error
                await self._wait("database", error)
            else:
                self._waits = None
                return None

    async def _transact(self, steps: Sequence[_Step]) -> None:
        started = time.monotonic()
        by_id: dict[str, Event] = {}  # one that came twice is one
        for _, readings in steps:
            for reading in readings:
                if reading.event is not None:
                    by_id.setdefault(reading.event.id, reading.event)
        events = list(by_id.values())
        advances = [_advance(piece, readings) for piece, readings in steps]
        async with self._store.transaction() as tx:
            tx.deliveries.uncertain = any(piece.uncertain for piece, _ in steps)
            new = await take_and_advance(tx.conn, self._group, list(by_id), advances, tx.now)
            if fresh := [event for event in events if event.id in new]:
                await self._handlers.run(fresh, tx)
        for (piece, _), advance in zip(steps, advances, strict=True):
            piece.position, piece.dead_in_a_row = advance.end, advance.dead
        if events:
            self._log_handled(events, new, time.monotonic() - started)

    def _log_handled(self, events: list[Event], new: set[str], took: float) -> None:
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

    async def _bury(self, piece: Slice, record: Record, stage: str, reason: str, *, attempts: int) -> None:
        """Put the record among the dead letters; the offset moves once the broker has it."""
        counts = stage != TO_COME
        if counts and piece.dead_in_a_row >= self._policy.dead_letters_in_a_row:
            raise TooManyDeadLetters(f"{piece.dead_in_a_row} dead letters in a row, next: {stage}: {reason}")
        await self._publish(bury(record, self._group, stage, reason, attempts))
        await self._move_past(piece, record, piece.dead_in_a_row + counts)
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

    async def _publish(self, letter: DeadLetter) -> None:
        """Until the broker has it; one that is too large for its topic is kept by reference."""
        while True:
            (answer,) = await self._broker.send([letter])
            if answer is None:
                self._waits = None
                return
            shorter = smaller(letter) if isinstance(answer, Refused) and answer.too_large else None
            if shorter is None:
                await self._wait("broker", answer)
            letter = shorter or letter

    async def _move_past(self, piece: Slice, record: Record, dead: int) -> None:
        """A restart does not bury the same letter again."""
        advance = Advance(piece.topic, piece.partition, piece.position, record.offset + 1, dead)
        while True:
            try:
                async with self._store.transaction() as tx:
                    await take_and_advance(tx.conn, self._group, (), [advance], tx.now)
            except Exception as error:
                if is_outage(error):
                    await self._wait("database", error)
                    continue
                raise
            piece.position, piece.dead_in_a_row = advance.end, dead
            self._waits = None
            return

    def _log_closed(self, piece: Slice) -> None:
        _log.error(
            "consumer.partition_closed",
            group=self._group,
            topic=piece.topic,
            partition=piece.partition,
            offset=piece.position,
            reason=piece.closed,
        )

    async def _wait(self, what: str, error: BaseException) -> None:
        since = time.monotonic() if self._waits is None else self._waits.since
        self._waits = _Wait(what, summary(error), since)
        self._warn.warning("consumer.waits", what, group=self._group, error=summary(error))
        await asyncio.sleep(self._policy.outage_wait.total_seconds())

    async def _watch(self) -> None:
        """A consumer that stands still though nothing is away is broken: say so and end."""
        while True:
            await asyncio.sleep(1)
            for topic, lag in self.subscription.lag.items():
                self._metrics.gauge("consumer_lag_events", lag, group=self._group, topic=topic)
            if self._waits is None and self.subscription.stalled(self._policy.stalled_after):
                raise Stalled(f"{self._group}: records wait, none finished for {self._policy.stalled_after}")


def _is_to_come(kind: str) -> bool:
    """A type in our name space that this release does not know: a writer was rolled out before its readers."""
    return kind not in EVENTS and kind.partition(".")[0] in OURS


def _runs(readings: Sequence[_Reading]) -> Iterator[list[_Reading]]:
    """Consecutive records that can be read, and between them each that cannot."""
    for unreadable, run in groupby(readings, key=lambda reading: reading.unreadable is not None):
        if unreadable:
            yield from ([one] for one in run)
        else:
            yield list(run)


def _advance(piece: Slice, readings: Sequence[_Reading]) -> Advance:
    """Past the last record; an event that is handled ends the row of dead letters."""
    handled = any(reading.event is not None for reading in readings)
    end = readings[-1].record.offset + 1
    return Advance(
        piece.topic, piece.partition, piece.position, end, dead=0 if handled else piece.dead_in_a_row
    )
