"""What the engine needs of a broker, so that only `kafka.py` knows the client library."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from supportops.errors import Refused, Retryable

type Header = tuple[str, bytes | None]
"""Name and value; None is Kafka's null, which is not the empty value."""


class Record(Protocol):
    """A record as it was read; `value` and header values are bytes as they came."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Outgoing(Protocol):
    """A record to be published."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


type Answer = Refused | Retryable | None
"""What became of a record: acknowledged (None), never to be taken, or perhaps not taken."""


class Publisher(Protocol):
    """The writing side of a broker."""

    async def send(self, records: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send all; what became of each, in their order."""
        ...


@dataclass
class Slice:
    """Consecutive records of one partition, on their way through a batch.

    `position` is the first offset that is not finished, in step with the database: whoever processes the slice moves it
    with each commit, so that it tells how far it came whatever happens next.
    """

    topic: str
    partition: int
    position: int
    records: Sequence[Record]
    dead_in_a_row: int = 0
    uncertain: bool = False
    """These records may have been handled by a life that the database has forgotten: effects are asked about first."""
    closed: str | None = None
    """Why this partition is not to be read any further."""


Process = Callable[[Sequence[Slice]], Awaitable[None]]
"""Handles slices of different partitions; returns when all are finished, for good or in the dead letters, or closed."""
