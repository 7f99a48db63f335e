"""What the engine needs of a broker, so that only `kafka.py` knows the client library."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


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
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Outgoing(Protocol):
    """A record to be published."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Publisher(Protocol):
    """The writing side of a broker."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Returns when all are acknowledged; raises Retryable when any may not be."""
        ...


Settle = Callable[[Sequence[Record]], Awaitable[None]]
"""Handles consecutive records of one partition; returns only when all are settled, for good or in the dead letters."""
