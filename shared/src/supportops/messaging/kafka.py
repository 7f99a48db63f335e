"""The broker: publishing and topics, on aiokafka. Vendor errors end here.

The producer is opened on first use and opened anew after an error it cannot recover from, so that a broker that is
away (or a lost sequence number, aio-libs/aiokafka#1017) never needs a restart of ours.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from supportops.config import KafkaSettings
from supportops.contracts import Topic
from supportops.errors import Retryable, SupportOpsError
from supportops.messaging.ports import Outgoing

PUBLISH_TIME = timedelta(seconds=15)
MAX_RECORD = 4 * 1024 * 1024  # bytes
_log = structlog.get_logger("kafka")


class WrongTopics(SupportOpsError):
    """The broker's topics are not those of the topic table."""


class Broker:
    """One broker (cluster), for the length of a process."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[Topic] = ()) -> None:
        self.settings = settings
        self._unchecked = tuple(topics)
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    @property
    def embedded(self) -> bool:
        """Whether this is the demo's in-memory broker, which wants other settings."""
        return self.settings.flavour == "embedded"

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Send all at once; returns when each is acknowledged by all in-sync replicas.

        Raises Retryable when any may not be: send all again, readers drop what they had.
        """
        try:
            producer = await self._open()
            async with asyncio.timeout(PUBLISH_TIME.total_seconds()):
                sent = [
                    await producer.send(r.topic, value=r.value, key=r.key, headers=list(r.headers))
                    for r in records
                ]
                await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise Retryable(f"the broker did not acknowledge: {type(error).__name__} {error}") from error

    async def prepare(self) -> None:
        """Create or check the topics that this broker was opened with, once; errors as `ensure_topics`."""
        if self._unchecked:
            await self.ensure_topics(self._unchecked)
            self._unchecked = ()

    async def ensure_topics(self, topics: Iterable[Topic]) -> None:
        """Create the topics that are missing. Raises WrongTopics for too few partitions, Retryable when away."""
        wanted = {topic.name: topic for topic in topics}
        admin = AIOKafkaAdminClient(**connection_options(self.settings))
        try:
            await admin.start()
            have = {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}
            missing = [self._new(topic) for name, topic in wanted.items() if name not in have]
            if missing:
                await _create(admin, missing)
        except (KafkaError, OSError) as error:
            raise Retryable(f"the broker does not answer: {type(error).__name__} {error}") from error
        finally:
            await admin.close()
        few = [n for n, t in wanted.items() if n in have and have[n] < t.partitions]
        if few:
            raise WrongTopics(f"too few partitions: {', '.join(few)}; see the topic table in docs/events.md")

    async def partitions(self) -> dict[str, int]:
        """How many partitions each topic of the broker has; creates nothing. Raises Retryable when it is away."""
        admin = AIOKafkaAdminClient(**connection_options(self.settings))
        try:
            await admin.start()
            return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}
        except (KafkaError, OSError) as error:
            raise Retryable(f"the broker does not answer: {type(error).__name__} {error}") from error
        finally:
            await admin.close()

    async def close(self) -> None:
        """Close the producer; the next publish opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                _log.info("producer.close_failed", error=str(error))

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                await self.prepare()
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
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _new(self, topic: Topic) -> NewTopic:
        milliseconds = topic.retention // timedelta(milliseconds=1)
        # As large as a record may be that our producer sends: the broker's own default refuses a long ticket.
        settings = {"retention.ms": str(milliseconds), "max.message.bytes": str(MAX_RECORD)}
        return NewTopic(
            topic.name, topic.partitions, self.settings.replication_factor, topic_configs=settings
        )


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    """Create topics; that another process was quicker is fine."""
    response = await admin.create_topics(topics)
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise WrongTopics(f"the broker refuses topic {name}: error {code} {message}")


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """How to reach the broker, for every client of ours."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.ca_file)
    if settings.security_protocol.startswith("SASL") and settings.sasl_password:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


@asynccontextmanager
async def open_broker(settings: KafkaSettings, topics: Iterable[Topic] = ()) -> AsyncIterator[Broker]:
    """The broker named by `settings`; it need not be there yet. `topics` are created or checked on first use."""
    broker = Broker(settings, topics)
    try:
        yield broker
    finally:
        await broker.close()
