"""Workers are killed in the middle of batches and calls: state changes once, effects happen once."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from supportops.store import Store
from tests.support.consuming import Stage, stage_on
from tests.support.engine import rows_of, solved
from tests.support.engine_app.tables import effects, tickets
from tests.support.eventually import eventually
from tests.support.forks import ForkedChild
from tests.support.processes import ChildProcess, python_module

pytestmark = [pytest.mark.chaos, pytest.mark.parametrize("dialect", ["postgres"], indirect=True)]


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour, partitions=12) as stage:
        yield stage


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The outside world: a line per effect."""
    path = tmp_path / "world"
    path.touch()
    return path


@pytest.fixture
def workers(stage: Stage, app_database: str, world: Path, tmp_path: Path) -> list[ChildProcess]:
    """Two replicas, not started."""
    environment = {
        "DATABASE_URL": app_database,
        "KAFKA_BOOTSTRAP_SERVERS": stage.address,
        "KAFKA_FLAVOUR": stage.broker.settings.flavour,
    }
    command = python_module("tests.support.engine_app.worker", stage.topic, stage.group, str(world))
    return [
        ForkedChild(command, log=tmp_path / f"worker-{number}.log", environment=environment)
        for number in (1, 2)
    ]


@pytest.mark.timeout(120)
async def test_kill_9_in_the_middle_of_everything_changes_state_once_and_acts_once(
    stage: Stage, live_store: Store, workers: list[ChildProcess], world: Path
) -> None:
    sent = [solved(n % 40) for n in range(400)]
    try:
        for worker in workers:
            worker.start()
        await stage.send(*sent[:200])
        await eventually(lambda: len(lines(world)) > 50, within=40)
        for worker in workers:
            worker.kill()
        assert len(lines(world)) < len(sent)
        await stage.send(*sent[200:])
        for worker in workers:
            worker.start()
        await eventually(lambda: all_done(live_store, len(sent)), within=60)
        codes = [worker.stop() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert codes == [0, 0]
    assert Counter(lines(world)) == Counter(event.id for event in sent)
    async with live_store.reading() as conn:
        counted = {row.ticket_id: row.solves for row in await conn.execute(select(tickets))}
        noted = {row.key: row.times for row in await conn.execute(select(effects))}
    assert counted == Counter(event.ticket_id for event in sent)
    assert noted == {event.id: 1 for event in sent}
    assert await stage.dead_letters() == []
    assert await stage.committed() == len(sent)


def lines(world: Path) -> list[str]:
    return world.read_text().split()


async def all_done(store: Store, count: int) -> bool:
    states = Counter(row["state"] for row in (await rows_of(store)).values())
    return states == {"done": count}
