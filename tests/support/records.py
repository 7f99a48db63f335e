"""Kafka records without Kafka: for what looks at records only, and a broker that just remembers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from supportops.contracts import Event, encode
from supportops.errors import Refused, Retryable
from supportops.messaging.ports import Answer, Header, Outgoing


@dataclass
class FakeRecord:
    """A record as it would be read."""

    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[Header] = ()
    topic: str = "zendesk.tickets"
    partition: int = 0
    offset: int = 0


def record_of(event: Event, offset: int = 0, partition: int = 0) -> FakeRecord:
    """The record that carries `event`."""
    key, value, headers = encode(event)
    return FakeRecord(key, value, headers, event.topic, partition, offset)


def texts(record: Outgoing) -> dict[str, str]:
    """The headers of a record as text, the last of each name."""
    return {name: (value or b"").decode() for name, value in record.headers}


@dataclass
class FakePublisher:
    """Acknowledges everything, remembers it; refuses while `away`."""

    away: bool = False
    refused: int = 0
    rounds: list[list[Outgoing]] = field(default_factory=list)

    too_large: Callable[[Outgoing], bool] = lambda _record: False

    async def send(self, records: Sequence[Outgoing]) -> list[Answer]:
        if self.away:
            self.refused += 1
            return [Retryable("the broker is away")] * len(records)
        answers: list[Answer] = [
            Refused("MessageSizeTooLargeError", too_large=True) if self.too_large(record) else None
            for record in records
        ]
        self.rounds.append([r for r, answer in zip(records, answers, strict=True) if answer is None])
        return answers

    @property
    def records(self) -> list[Outgoing]:
        return [record for one in self.rounds for record in one]

    @property
    def ids(self) -> list[str]:
        """The event ids that were published, in order."""
        return [texts(record)["ce_id"] for record in self.records]
