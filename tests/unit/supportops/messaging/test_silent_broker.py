"""A broker that takes connections and says nothing: whoever asks hears so soon, and in words."""

import asyncio
import socket

import pytest
from aiokafka.errors import KafkaConnectionError

from supportops.config import KafkaSettings
from supportops.errors import Retryable
from supportops.messaging import topics
from supportops.messaging.connection import ASK_TIME_MS, no_answer
from tests.support.for_each import for_each


async def test_a_silent_broker_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "ASK_TIME_MS", 200)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Retryable, match="KAFKA_BOOTSTRAP_SERVERS"):
            async with asyncio.timeout(10):
                await topics.partitions(settings)


def test_a_command_does_not_look_as_if_it_hung() -> None:
    assert ASK_TIME_MS < 30_000


@for_each(
    "error, words",
    [
        (KafkaConnectionError("nobody there"), "(KafkaConnectionError: nobody there)"),
        (TimeoutError(), "(TimeoutError)"),
        (OSError("no route"), "(OSError no route)"),
    ],
)
def test_the_cause_is_named_once(error: Exception, words: str) -> None:
    assert words in str(no_answer(error))
