"""The broker: publishing, on aiokafka, with an answer per record. Vendor errors end here.

The producer is opened on first use and opened anew after an error it cannot recover from, so that a broker that is
away (or a lost sequence number, aio-libs/aiokafka#1017) never needs a restart of ours.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from supportops.config import KafkaSettings
from supportops.contracts import Topic
from supportops.errors import Refused, Retryable
from supportops.messaging.connection import close_for_good, connection_options
from supportops.messaging.ports import Answer, Outgoing
from supportops.messaging.topics import (
    MAX_RECORD,
    Limits,
    WrongTopics,
    ensure_topics,
    limits,
    partitions,
    too_tight,
)
from supportops.observability.logging import get_logger

PING_TIME = 1.5  # seconds that the broker has to answer a question about itself
ASK_AGAIN = 60.0  # seconds after which it is tried again whether a topic that was missing is there
SINGLY = 20  # records that are sent again one by one when some of their round were refused
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSALS = (*TOO_LARGE, TopicAuthorizationFailedError, InvalidTopicError)
_log = get_logger("supportops.kafka")


@dataclass(frozen=True)
class Patience:
    """How long a broker that hangs is waited for: `publish` for its answers, `close` (seconds) for a producer that is
    to send what it has in hand and to close.
    """

    publish: timedelta = timedelta(seconds=15)
    close: float = 5.0


class Broker:
    """One broker (cluster), for the length of a process."""

    def __init__(
        self, settings: KafkaSettings, topics: Iterable[Topic] = (), patience: Patience | None = None
    ) -> None:
        self.settings = settings
        self._patience = patience or Patience()
        self.topics = tuple(topics)
        self._checked = not self.topics
        self._missing: dict[
            str, float
        ] = {}  # topics that are not there nor to be made, until when nobody asks
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._preparing = asyncio.Lock()

    @property
    def embedded(self) -> bool:
        """Whether this is the demo's in-memory broker, which wants other settings."""
        return self.settings.flavour == "embedded"

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Send all at once; returns when each is acknowledged by all in-sync replicas.

        Raises Refused when the broker will never take one of them, Retryable when any may not be acknowledged: send all
        again, readers drop what they had.
        """
        for answer in await self.send(records):
            if answer is not None:
                raise answer

    async def send(self, records: Sequence[Outgoing]) -> list[Answer]:
        """Send all at once; what became of each, in their order: None (acknowledged), Refused or Retryable."""
        answers = await self._send_together(records)
        if any(isinstance(answer, Refused) for answer in answers):
            await self._send_singly(records, answers)
        return answers

    async def _send_together(self, records: Sequence[Outgoing]) -> list[Answer]:
        try:
            producer = await self._open()
        except (KafkaError, OSError, TimeoutError, Retryable) as error:
            return [_retryable(error)] * len(records)
        by_topic: dict[str, list[int]] = {}
        for number, record in enumerate(records):
            by_topic.setdefault(record.topic, []).append(number)
        answers: list[Answer] = [_retryable(TimeoutError(f"none within {self._patience.publish}"))] * len(
            records
        )
        sending = []
        for topic, numbers in by_topic.items():
            if self._missing.get(topic, 0) > time.monotonic():
                for number in numbers:
                    answers[number] = _no_such(topic)
            else:
                sends = _send_to_topic(producer, [records[n] for n in numbers], numbers, answers)
                sending.append(asyncio.ensure_future(sends))
        await _all_within(sending, self._patience.publish.total_seconds())
        if any(answers):
            await self._start_anew(by_topic, answers)
        return answers

    async def _send_singly(self, records: Sequence[Outgoing], answers: list[Answer]) -> None:
        """A refusal hits the whole of what was sent with it: find out whose it is. The large ones go last."""
        again = [number for number, answer in enumerate(answers) if _may_be_a_neighbours(answer)]
        for number in sorted(again, key=lambda n: isinstance(answers[n], Refused))[:SINGLY]:
            (answers[number],) = await self._send_together([records[number]])

    async def _start_anew(self, by_topic: Mapping[str, Sequence[int]], answers: list[Answer]) -> None:
        """A failed producer has lost count of its sequence; a topic that vanished is made again.

        What is to go to a topic that is not there and cannot be made is refused.
        """
        await self.close()
        vanished = {topic: some for topic, some in by_topic.items() if _unknown(answers, some)}
        if not vanished:
            return
        _log.error("topics.vanished", topics=sorted(vanished))
        self._checked = not self.topics
        makeable = {topic.name for topic in self.topics}
        try:
            await self.prepare()
        except WrongTopics as error:
            makeable = set()
            _log.error("topics.cannot_be_made", reason=str(error))
        except Retryable:
            return
        for topic in vanished.keys() - makeable:
            self._missing[topic] = time.monotonic() + ASK_AGAIN
            for number in vanished[topic]:
                answers[number] = _no_such(topic)

    async def prepare(self) -> None:
        """Create or check the topics that this broker was opened with; errors as `ensure_topics`.

        Topics that hold less than we may write are named in the log: nothing fails yet, some event will.
        """
        async with self._preparing:
            if not self._checked:
                await self.ensure_topics(self.topics)
                self._checked = True
                await self._look_at_limits()

    async def _look_at_limits(self) -> None:
        if self.embedded:
            return  # it has none to tell
        try:
            found = await self.limits([topic.name for topic in self.topics])
        except Retryable as error:
            _log.info("topics.limits_not_told", reason=str(error))
            return
        if words := too_tight(self.topics, found):
            _log.error("topics.too_tight", topics=words, remedy="raise max.message.bytes and retention.ms")

    async def _prepare_to_publish(self) -> None:
        """A topic that cannot be made is the misfortune of its own records."""
        try:
            await self.prepare()
        except WrongTopics as error:
            _log.error("topics.wrong", reason=str(error))

    async def ensure_topics(self, topics: Iterable[Topic]) -> None:
        """Create the topics that are missing. Raises WrongTopics for too few partitions, Retryable when away."""
        await ensure_topics(self.settings, topics)

    async def partitions(self) -> dict[str, int]:
        """How many partitions each topic of the broker has; creates nothing. Raises Retryable when it is away."""
        return await partitions(self.settings)

    async def limits(self, names: Sequence[str]) -> dict[str, Limits]:
        """The limits of the topics that are there. Raises Retryable when the broker is away or does not tell."""
        return await limits(self.settings, names)

    async def ping(self) -> None:
        """Ask the broker for its topics, on a connection of its own. Raises Retryable when there is no answer."""
        client = AIOKafkaClient(**connection_options(self.settings))
        asking = asyncio.ensure_future(_ask(client))
        await asyncio.wait((asking,), timeout=PING_TIME)
        answered = asking.done()
        asking.cancel()
        closing = asyncio.ensure_future(client.close())
        await asyncio.wait((asking, closing), timeout=0.3)
        if not answered:
            raise Retryable(f"no answer within {PING_TIME} s")
        asking.result()

    async def close(self) -> None:
        """Close the producer; the next publish opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None and not await close_for_good(producer, self._patience.close):
            _log.info("producer.closed_untidily")

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                await self._prepare_to_publish()
                producer = AIOKafkaProducer(
                    acks="all",
                    linger_ms=0,
                    enable_idempotence=not self.embedded,
                    request_timeout_ms=10_000,
                    max_request_size=MAX_RECORD,
                    **connection_options(self.settings),
                )
                try:
                    await producer.start()
                except BaseException:
                    await close_for_good(producer, self._patience.close)
                    raise
                self._producer = producer
            return self._producer


async def _send_to_topic(
    producer: AIOKafkaProducer, records: Sequence[Outgoing], numbers: Sequence[int], answers: list[Answer]
) -> None:
    """Send to one topic and put down each answer; one that is not there holds up no other."""
    sent = []
    for number, record in zip(numbers, records, strict=True):
        nothing = record.value is None and record.key is None  # the library wants one of them
        value = b"" if nothing else record.value
        try:
            future = await producer.send(
                record.topic, value=value, key=record.key, headers=list(record.headers)
            )
        except (KafkaError, OSError) as error:
            answers[number] = _answer(error, record)
            if isinstance(error, UnknownTopicOrPartitionError | TopicAuthorizationFailedError):
                for late in numbers:  # no other of this topic will do better
                    answers[late] = answers[number]
                return
        else:
            sent.append((number, record, future))
    for number, record, future in sent:
        try:
            if not future.done():  # those of one batch are answered together
                await asyncio.shield(future)
            future.result()
            answers[number] = None
        except (KafkaError, OSError) as error:
            answers[number] = _answer(error, record)


def _answer(error: Exception, record: Outgoing) -> Answer:
    if isinstance(error, REFUSALS):
        size = len(record.value or b"")
        why = f"{type(error).__name__}: {record.topic}, {size} bytes"
        return Refused(why, too_large=isinstance(error, TOO_LARGE))
    return _retryable(error)


def _retryable(error: Exception) -> Retryable:
    answer = Retryable(f"the broker did not acknowledge: {type(error).__name__} {error}"[:300])
    answer.__cause__ = error
    return answer


async def _all_within(tasks: Sequence["asyncio.Future[None]"], seconds: float) -> None:
    """Wait for all of them, cancel what is late; raises what a task raised."""
    if not tasks:
        return
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    for task in done:
        task.result()


def _no_such(topic: str) -> Refused:
    return Refused(f"UnknownTopicOrPartitionError: {topic} is not there, and cannot be made")


def _unknown(answers: Sequence[Answer], numbers: Sequence[int]) -> bool:
    """Whether it is the topic of these records that is not there."""
    causes = [answer.__cause__ for n in numbers if (answer := answers[n]) is not None]
    return any(isinstance(cause, UnknownTopicOrPartitionError) for cause in causes)


def _may_be_a_neighbours(answer: Answer) -> bool:
    """Whether the failure may be that of another record of the same round."""
    if isinstance(answer, Refused):
        return answer.too_large
    return answer is not None and not isinstance(
        answer.__cause__, TimeoutError | UnknownTopicOrPartitionError | OSError
    )


async def _ask(client: AIOKafkaClient) -> None:
    try:
        await client.bootstrap()
        await client.fetch_all_metadata()
    except (KafkaError, OSError) as error:
        raise _retryable(error) from error


@asynccontextmanager
async def open_broker(
    settings: KafkaSettings, topics: Iterable[Topic] = (), patience: Patience | None = None
) -> AsyncIterator[Broker]:
    """The broker named by `settings`; it need not be there yet. `topics` are created or checked on first use."""
    broker = Broker(settings, topics, patience)
    try:
        yield broker
    finally:
        await broker.close()
