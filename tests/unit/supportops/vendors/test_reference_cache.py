"""The reference cache: batches, single flight, lifetimes, size, and failures that are not kept."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from supportops.clock import ManualClock
from supportops.errors import Retryable
from supportops.observability.metrics import Metrics
from supportops.vendors.cache import BATCH, Lifetime, ReferenceCache


class Server:
    """Knows everything but ids that begin with 0; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.broken = False
        self.opened = asyncio.Event()
        self.opened.set()

    async def read_many(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(keys))
        await self.opened.wait()
        if self.broken:
            raise Retryable("503")
        return {key: f"name of {key}" for key in keys if not key.startswith("0")}


class Bench:
    """A cache with its server, clock and metrics."""

    def __init__(self, size: int = 1000) -> None:
        self.server, self.clock, self.metrics = (
            Server(),
            ManualClock(datetime(2026, 3, 1, tzinfo=UTC)),
            Metrics(),
        )
        self.cache = ReferenceCache(
            "organizations",
            self.server.read_many,
            clock=self.clock,
            metrics=self.metrics,
            lifetime=Lifetime(timedelta(minutes=10), timedelta(minutes=1), size),
            linger=timedelta(),
        )

    def seen(self, outcome: str) -> float:
        return self.metrics.value("reference_cache", cache="organizations", outcome=outcome)


async def test_the_second_look_costs_no_call() -> None:
    bench = Bench()
    assert await bench.cache.get("1") == "name of 1"
    assert await bench.cache.get("1") == "name of 1"
    assert bench.server.asked == [["1"]]
    assert (bench.seen("miss"), bench.seen("hit")) == (1, 1)


async def test_who_asks_together_shares_one_call_and_no_id_is_asked_twice() -> None:
    bench = Bench()
    found = await asyncio.gather(*(bench.cache.get(str(1 + number % 3)) for number in range(30)))
    assert set(found) == {"name of 1", "name of 2", "name of 3"}
    assert bench.server.asked == [["1", "2", "3"]]


async def test_an_id_that_is_being_read_is_not_read_again() -> None:
    bench = Bench()
    bench.server.opened.clear()
    first = asyncio.create_task(bench.cache.get("1"))
    while not bench.server.asked:
        await asyncio.wait((first,), timeout=0)
    second = asyncio.create_task(bench.cache.get("1"))
    bench.server.opened.set()
    assert await first == await second == "name of 1"
    assert bench.server.asked == [["1"]]


async def test_many_are_read_by_the_hundred() -> None:
    bench = Bench()
    found = await bench.cache.get_many(str(number) for number in range(1, 251))
    assert len(found) == 250
    assert [len(keys) for keys in bench.server.asked] == [BATCH, BATCH, 50]


async def test_get_many_leaves_out_what_does_not_exist() -> None:
    assert await Bench().cache.get_many(["1", "01", "1"]) == {"1": "name of 1"}


async def test_an_answer_is_believed_for_its_lifetime() -> None:
    bench = Bench()
    await bench.cache.get("1")
    bench.clock.advance(timedelta(minutes=9, seconds=59))
    await bench.cache.get("1")
    assert len(bench.server.asked) == 1
    bench.clock.advance(timedelta(seconds=1))
    await bench.cache.get("1")
    assert len(bench.server.asked) == 2


async def test_that_there_is_none_is_believed_for_a_shorter_time() -> None:
    bench = Bench()
    assert await bench.cache.get("01") is None
    assert await bench.cache.get("01") is None
    assert (len(bench.server.asked), bench.seen("absent")) == (1, 1)
    bench.clock.advance(timedelta(minutes=1))
    await bench.cache.get("01")
    assert len(bench.server.asked) == 2


async def test_the_least_lately_used_goes_when_it_is_full() -> None:
    bench = Bench(size=2)
    for key in ("1", "2", "1", "3"):
        await bench.cache.get(key)
    bench.server.asked.clear()
    await bench.cache.get("1")
    assert bench.server.asked == []
    await bench.cache.get("2")
    assert bench.server.asked == [["2"]]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    bench = Bench()
    bench.server.broken = True
    outcomes = await asyncio.gather(*(bench.cache.get("1") for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["503"] * 3
    bench.server.broken = False
    assert await bench.cache.get("1") == "name of 1"


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    bench = Bench()
    bench.server.opened.clear()
    hasty, patient = asyncio.create_task(bench.cache.get("1")), asyncio.create_task(bench.cache.get("1"))
    while not bench.server.asked:
        await asyncio.wait((patient,), timeout=0)
    hasty.cancel()
    bench.server.opened.set()
    assert await patient == "name of 1"
    assert hasty.cancelled()


async def test_what_an_event_told_is_not_asked_for() -> None:
    bench = Bench()
    bench.cache.put("7", "told")
    assert await bench.cache.get("7") == "told"
    assert bench.server.asked == []


async def test_a_failure_that_nobody_waits_for_is_no_complaint() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    bench = Bench()
    bench.server.broken = True
    hasty = asyncio.create_task(bench.cache.get("1"))
    while not bench.server.asked:
        await asyncio.wait((hasty,), timeout=0)
    hasty.cancel()
    await asyncio.wait((hasty,))
    bench.server.broken = False
    assert await bench.cache.get("1") == "name of 1"
    gc.collect()
    assert complaints == []
