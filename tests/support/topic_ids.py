"""A client library that answers questions for topics' ids, byte for byte as a broker would."""

import asyncio
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.protocol.api import Request

from supportops.messaging.topic_ids import NONE

FIRST, SECOND = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


@dataclass
class FakeClient:
    """A connection to a broker that has the topics of `ids`; `fails_with` is raised instead, `knows` are the versions
    of the request that it speaks.
    """

    ids: dict[str, str] = field(default_factory=lambda: {"t": FIRST})
    fails_with: Exception | None = None
    knows: tuple[int, int] = (0, 13)
    silent: bool = False
    node: int | None = 1
    asked: int = 0

    def get_random_node(self) -> int | None:
        return self.node

    async def send(self, _node: int, request: Request[Any]) -> Any:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.fails_with is not None:
            raise self.fails_with
        question = request.prepare({3: self.knows})
        names = [topic[1] for topic in type(question).decode(BytesIO(question.encode())).topics]
        answer = question.RESPONSE_TYPE
        brokers: list[object] = [(1, "localhost", 9092, None, {})]
        parts: list[object] = [(0, 0, 1, 0, [1], [1], [], {})]
        topics: list[object] = [
            (0, name, UUID(self.ids[name]), False, parts, -2147483648, {})
            if name in self.ids
            else (3, name, NONE, False, [], -2147483648, {})
            for name in names
        ]
        whole = answer(0, brokers, "cluster", 1, topics, -2147483648, {})
        return answer.decode(BytesIO(whole.encode()))
