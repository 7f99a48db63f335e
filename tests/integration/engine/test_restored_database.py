"""The drill of docs/operations.md: a database is put back to an older state; each effect once, nothing is lost."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from supportops.contracts import TicketSolved
from supportops.delivery import Courier, Delivery, DestinationSpec, Done, Outcome
from supportops.messaging import Consumer, ConsumerPolicy, Handlers
from supportops.observability.metrics import Metrics
from supportops.runtime.process import after_look
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE
from tests.support.consuming import Stage, stage_on
from tests.support.databases import PostgresDatabases
from tests.support.engine import FakeDestination, rows_of, running, solved, store_on
from tests.support.engine_app.tables import tickets
from tests.support.eventually import eventually


def on_solved(event: TicketSolved, tx: Transaction) -> None:
    """Count the solve, and have the world told of it once: a key of the happening, as all our deliveries have."""
    rows = tx.rows(tickets)
    row = rows.get(event.ticket_id)
    rows.put(event.ticket_id, solves=1 if row is None else row["solves"] + 1)
    tx.deliveries.schedule("world", event.ticket_id, lane=event.ticket_id, payload={})


HANDLERS = Handlers().on(TicketSolved, on_solved, reads=((tickets, lambda event: event.ticket_id),))


class World(FakeDestination):
    """Somebody else's server, which our database's restore does not touch; it can be asked what happened."""

    def __init__(self) -> None:
        super().__init__(DestinationSpec("world", concurrency=4), ask=self.look)

    def look(self, delivery: Delivery) -> Outcome | None:
        return Done() if delivery.key in self.keys else None


@pytest.fixture
async def stage(kafka_address: str, kafka_flavour: str) -> AsyncIterator[Stage]:
    async with stage_on(kafka_address, kafka_flavour) as stage:
        yield stage


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", ["sqlite", "postgres"], indirect=True)
async def test_a_hundred_events_a_restore_to_fifty_and_every_effect_is_made_once(
    stage: Stage, app_database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    world = World()
    async with store_on(app_database) as store:
        await stage.send(*(solved(n) for n in range(50)))
        await work(stage, store, world, 50)
    backup = Backup(app_database, request, tmp_path)
    async with store_on(app_database) as store:
        await stage.send(*(solved(n) for n in range(50, 100)))
        await work(stage, store, world, 100)
    assert len(world.keys) == 100
    async with store_on(backup.url) as store:
        assert await handled(store) == 50
        await stage.send(*(solved(n) for n in range(100, 120)))
        await work(stage, store, world, 120)
        assert Counter(world.keys) == Counter(str(n) for n in range(120))
        assert set(world.asked) == {str(n) for n in range(50, 100)}  # and of what is new nobody had to ask
        async with store.reading() as conn:
            counted = {row.ticket_id: row.solves for row in await conn.execute(select(tickets))}
        assert counted == {str(n): 1 for n in range(120)}
    backup.drop()


async def work(stage: Stage, store: Store, world: World, until: int) -> None:
    """A process of the service, until so many are handled and delivered."""
    policy = ConsumerPolicy(topics=(stage.topic,), max_batch=20)
    member = Consumer(stage.broker, store, HANDLERS, group=stage.group, metrics=Metrics(), policy=policy)
    courier = after_look(Courier(store, [world], Metrics()), [member])
    async with running(member, courier):
        await eventually(lambda: all_done(store, until), within=60)


async def all_done(store: Store, count: int) -> bool:
    states = Counter(row["state"] for row in (await rows_of(store)).values())
    return states == {"done": count}


async def handled(store: Store) -> int:
    async with store.reading() as conn:
        return int((await conn.execute(select(func.count()).select_from(ENGINE.inbox))).scalar_one())


class Backup:
    """A copy of the database as it is now."""

    def __init__(self, url: str, request: pytest.FixtureRequest, folder: Path) -> None:
        self._postgres: PostgresDatabases | None = None
        if url.startswith("sqlite"):
            path = folder / "backup.db"
            shutil.copyfile(str(make_url(url).database), path)
            self.url = f"sqlite:///{path}"
            return
        server = request.getfixturevalue("postgres_server_url")
        self._postgres = PostgresDatabases(server)
        self.url = self._postgres.copy(url)

    def drop(self) -> None:
        if self._postgres is not None:
            self._postgres.drop_all()
