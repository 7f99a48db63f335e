"""Kafka records without Kafka: for what looks at records only, and a broker that just remembers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from supportops.contracts import Event, encode
from supportops.errors import Retryable
from supportops.messaging.ports import Outgoing


@dataclass
class FakeRecord:
    """A record as it would be read."""

    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    topic: str = "zendesk.tickets"
    partition: int = 0
    offset: int = 0


def record_of(event: Event, offset: int = 0, partition: int = 0) -> FakeRecord:
    """The record that carries `event`."""
    key, value, headers = encode(event)
    return FakeRecord(key, value, headers, event.topic, partition, offset)


@dataclass
class FakePublisher:
    """Acknowledges everything, remembers it; refuses while `away`."""

    away: bool = False
    refused: int = 0
    rounds: list[list[Outgoing]] = field(default_factory=list)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            self.refused += 1
            raise Retryable("the broker is away")
        self.rounds.append(list(records))

    @property
    def records(self) -> list[Outgoing]:
        return [record for one in self.rounds for record in one]

    @property
    def ids(self) -> list[str]:
        """The event ids that were published, in order."""
        return [dict(record.headers)["ce_id"].decode() for record in self.records]
