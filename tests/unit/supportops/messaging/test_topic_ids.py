"""Asking a broker for its topics' ids: what it may answer, and what it may not."""

from dataclasses import dataclass, field

import pytest
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

from supportops.messaging import topic_ids as module
from supportops.messaging.topic_ids import topic_ids
from tests.support.topic_ids import FIRST, SECOND, FakeClient


@dataclass
class Library:
    """As much of the library's consumer as is needed."""

    _client: FakeClient = field(default_factory=FakeClient)


async def test_ids_of_the_topics_that_are_there() -> None:
    library = Library(FakeClient({"t": FIRST, "u": SECOND, "others": SECOND}))
    assert await topic_ids(library, {"u", "t", "gone"}) == {"t": FIRST, "u": SECOND}


async def test_the_question_makes_no_topic() -> None:
    question = module._AskTopics(["t"]).prepare({3: (0, 13)})
    assert question.to_object()["make_missing"] is False
    assert question.encode() == b"\x02" + bytes(16) + b"\x02t\x00" + b"\x00\x00\x00" + b"\x00"


@pytest.mark.parametrize(
    "client",
    [
        FakeClient(knows=(0, 9)),
        FakeClient(fails_with=KafkaConnectionError("closed")),
        FakeClient(fails_with=NodeNotReadyError("1")),
        FakeClient(fails_with=OSError("reset")),
        FakeClient(fails_with=ValueError("Buffer underrun decoding string")),
        FakeClient(silent=True),
        FakeClient(node=None),
    ],
)
async def test_a_broker_that_does_not_tell_is_done_without(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_TIME", 0.01)
    assert await topic_ids(Library(client), {"t"}) == {}
