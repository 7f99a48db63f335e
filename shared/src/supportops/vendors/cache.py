"""A small table of other people's data with a lifetime: names of organizations, users, forms."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from supportops.clock import Clock
from supportops.errors import Permanent, Unreadable
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

log = get_logger("supportops.cache")
sparse = LimitedWarnings(log)

BATCH = 100
"""Zendesk's show_many takes no more ids at once."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer is believed, how long "there is none" is, and how many are kept."""

    found: timedelta = timedelta(minutes=10)
    absent: timedelta = timedelta(minutes=1)
    size: int = 10_000


@dataclass(frozen=True, slots=True)
class _Entry[T]:
    value: T | None
    until: datetime


class ReferenceCache[T]:
    """Look-ups by id, read in batches: whoever asks within `linger` shares one call, nobody asks for an id twice.

    `read_many` gives the things that exist, keyed by id, for at most `BATCH` ids. What it raises reaches everyone
    who waits for that batch and is not kept. Keeps the least lately used out when full.
    """

    def __init__(
        self,
        name: str,
        read_many: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
        *,
        clock: Clock,
        metrics: Recorder,
        lifetime: Lifetime | None = None,
        linger: timedelta = timedelta(milliseconds=5),
    ) -> None:
        self.name = name
        self._read_many, self._clock, self._metrics = read_many, clock, metrics
        self._lifetime, self._linger = lifetime or Lifetime(), linger.total_seconds()
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[T | None]] = {}
        self._batch: list[str] = []
        self._readers: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> T | None:
        """One thing by id; None when there is none (also that is remembered, for a shorter time)."""
        entry = self._entries.get(key)
        if entry is not None and self._clock.now() < entry.until:
            self._entries.move_to_end(key)
            self._count("absent" if entry.value is None else "hit")
            return entry.value
        self._count("miss")
        future = self._asked.get(key)
        if future is None:
            future = self._ask(key)
        return await asyncio.shield(future)  # one impatient reader must not take the answer from the others

    async def find(self, key: str) -> T | None:
        """Like `get`, for what is only decoration: what may not be read is as if it were not there."""
        try:
            return await self.get(key)
        except Permanent as error:
            self._count("refused")
            sparse.warning("decoration.refused", self.name, reason=str(error))
            return None

    async def get_many(self, keys: Iterable[str], odd: set[str] | None = None) -> dict[str, T]:
        """The things that exist among `keys` and can be read, by id; ids of those that cannot be are added to `odd`."""
        wanted = list(dict.fromkeys(keys))
        found = await asyncio.gather(*(self._readable(key, odd) for key in wanted))
        return {key: value for key, value in zip(wanted, found, strict=True) if value is not None}

    async def _readable(self, key: str, odd: set[str] | None) -> T | None:
        try:
            return await self.get(key)
        except Unreadable:
            if odd is not None:
                odd.add(key)
            return None

    def put(self, key: str, value: T | None) -> None:
        """Remember what was learnt on the way (an event told us); None: there is none."""
        span = self._lifetime.absent if value is None else self._lifetime.found
        self._entries[key] = _Entry(value, self._clock.now() + span)
        self._entries.move_to_end(key)
        while len(self._entries) > self._lifetime.size:
            self._entries.popitem(last=False)

    def _ask(self, key: str) -> asyncio.Future[T | None]:
        future = self._asked[key] = asyncio.get_running_loop().create_future()
        self._batch.append(key)
        if len(self._batch) == 1:
            reader = asyncio.create_task(self._read(), name=f"cache.{self.name}")
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        return future

    async def _read(self) -> None:
        await asyncio.sleep(self._linger)
        keys, self._batch = self._batch, []
        for start in range(0, len(keys), BATCH):
            await self._read_batch(keys[start : start + BATCH])

    async def _read_batch(self, keys: list[str]) -> None:
        waiting = {key: self._asked[key] for key in keys}
        try:
            (found,) = await asyncio.gather(self._read_many(keys), return_exceptions=True)
            for key, future in waiting.items():
                if isinstance(found, BaseException):
                    future.set_exception(found)
                else:
                    self._answer(key, found, future)
        finally:
            for key, future in waiting.items():
                del self._asked[key]
                future.cancel()  # nothing, unless we were cancelled ourselves

    def _answer(self, key: str, found: Mapping[str, T], future: asyncio.Future[T | None]) -> None:
        try:
            value = found.get(key)
        except (
            Unreadable
        ) as error:  # it is there and cannot be read: who asks for it hears so, and nobody else
            future.set_exception(error)
        else:
            self.put(key, value)
            future.set_result(value)

    def _count(self, outcome: str) -> None:
        self._metrics.count("reference_cache", cache=self.name, outcome=outcome)
