"""The broker's topics: made from the topic table, made again when one has vanished, their limits held against ours."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from supportops.config import KafkaSettings
from supportops.contracts import Topic
from supportops.errors import SupportOpsError
from supportops.messaging.connection import ASK_TIME_MS, connection_options, no_answer
from supportops.observability.logging import get_logger

MAX_RECORD = 4 * 1024 * 1024  # bytes; the broker's own default (1 MiB) refuses a long ticket
_BYTES, _RETENTION = "max.message.bytes", "retention.ms"
_log = get_logger("supportops.kafka")


class WrongTopics(SupportOpsError):
    """The broker's topics are not those of the topic table."""


@dataclass(frozen=True)
class Limits:
    """What a topic takes: the largest record in bytes, and how long it keeps it (None: for ever)."""

    record: int
    retention: timedelta | None


async def ensure_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> None:
    """Create the topics that are missing. Raises WrongTopics (too few partitions, refused) or Retryable (away)."""
    wanted = {topic.name: topic for topic in topics}
    async with _admin(settings) as admin:
        have = {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}
        missing = [_new(topic, settings) for name, topic in wanted.items() if name not in have]
        if missing:
            await _create(admin, missing)
            _log.warning("topics.created", topics=sorted(topic.name for topic in missing))
    few = [n for n, t in wanted.items() if n in have and have[n] < t.partitions]
    if few:
        raise WrongTopics(f"too few partitions: {', '.join(few)}; see the topic table in docs/events.md")


async def partitions(settings: KafkaSettings) -> dict[str, int]:
    """How many partitions each topic of the broker has; creates nothing. Raises Retryable when it is away."""
    async with _admin(settings) as admin:
        return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}


async def limits(settings: KafkaSettings, names: Sequence[str]) -> dict[str, Limits]:
    """The limits of the topics that are there. Raises Retryable when the broker is away or does not tell."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    async with _admin(settings) as admin:
        answers = await admin.describe_configs(wanted)
    found = {}
    for answer in answers:
        for code, _message, _kind, name, entries in answer.resources:
            values = {entry[0]: entry[1] for entry in entries}
            if code == 0 and _BYTES in values:
                found[name] = Limits(int(values[_BYTES]), _retention(values.get(_RETENTION)))
    return found


def too_tight(topics: Iterable[Topic], found: dict[str, Limits]) -> list[str]:
    """What does not hold what we may write, in words; empty when all is well."""
    words = []
    for topic in topics:
        limit = found.get(topic.name)
        if limit is None:
            continue
        if limit.record < MAX_RECORD:
            words.append(f"{topic.name} takes records of {limit.record} bytes, ours have up to {MAX_RECORD}")
        if limit.retention is not None and limit.retention < topic.retention:
            words.append(f"{topic.name} keeps records {limit.retention}, our table says {topic.retention}")
    return words


def _retention(value: str | None) -> timedelta | None:
    milliseconds = int(value or -1)
    return timedelta(milliseconds=milliseconds) if milliseconds >= 0 else None


def _new(topic: Topic, settings: KafkaSettings) -> NewTopic:
    own = {_RETENTION: str(topic.retention // timedelta(milliseconds=1)), _BYTES: str(MAX_RECORD)}
    return NewTopic(topic.name, topic.partitions, settings.replication_factor, topic_configs=own)


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    """Create topics; that another process was quicker is fine."""
    response = await admin.create_topics(topics)
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise WrongTopics(f"the broker refuses topic {name}: error {code} {message}")


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(request_timeout_ms=ASK_TIME_MS, **connection_options(settings))
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        raise no_answer(error) from error
    finally:
        await admin.close()
