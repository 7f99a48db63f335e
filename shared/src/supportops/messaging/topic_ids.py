"""Which topic a name stands for: a topic that was deleted and made anew has another id, whatever it holds.

The client library asks for topics in an older version that tells no ids (it knows Metadata up to 5, ids come with 10):
the request and its answer are described here, after Kafka's protocol guide, and go over the library's connections.
"""

import asyncio
from collections.abc import Collection
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from supportops.errors import summary
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger

ANSWER_TIME = 3.0  # seconds; what is not told now is asked again later, and read on meanwhile
NONE = UUID(int=0)  # what stands for no id
_METADATA = 3  # the request's number in the protocol
_TAGS = ("tags", TaggedFields)
_warn = LimitedWarnings(get_logger("supportops.consumer"))


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka is not typed
    """Sixteen bytes, without a length."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _Answer(Response):  # type: ignore[misc]
    API_KEY = _METADATA
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                _TAGS,
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("in_sync", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("topic_operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_operations", Int32),
        _TAGS,
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = _METADATA
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), _TAGS)),
        ("make_missing", Boolean),
        ("tell_cluster_operations", Boolean),
        ("tell_topic_operations", Boolean),
        _TAGS,
    )


class _AskTopics(Request[_Question]):  # type: ignore[misc]
    """Asks for topics by name; makes none that is missing."""

    API_KEY = _METADATA

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def build(self, form: type[_Question]) -> _Question:
        return form([(NONE, name, {}) for name in sorted(self._names)], False, False, False, {})


async def topic_ids(library: Any, topics: Collection[str]) -> dict[str, str]:
    """The ids of `topics`, as far as the broker tells them; `library` is a started consumer.

    A topic that is not there, or not ours to see, has none; with a broker of before Kafka 2.8 no topic has one. Bounded
    in time and raises nothing of the broker's, odd answers included: the ids can be done without for a while.
    """
    try:
        async with asyncio.timeout(ANSWER_TIME):
            client = library._client  # the library has no public way to a request of one's own
            node = client.get_random_node()
            if node is None:
                return {}
            answer = await client.send(node, _AskTopics(topics))
        return {topic[1]: str(topic[2]) for topic in answer.topics if topic[0] == 0 and topic[2] != NONE}
    except (NotImplementedError, IncompatibleBrokerVersion):
        return {}
    except Exception as error:  # noqa: BLE001  # an odd answer raises anything, and ends no consumer
        _warn.warning("consumer.topic_ids_not_told", "topic ids", error=summary(error))
        return {}
