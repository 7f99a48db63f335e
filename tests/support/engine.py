"""Building blocks for tests of the engine: a store on a migrated database, ticket events, a destination that obeys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import select

from supportops.clock import Clock, SystemClock
from supportops.config import DatabaseSettings, KafkaSettings
from supportops.contracts import TicketSnapshot, TicketSolved
from supportops.delivery import Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.claims import Claim, claim
from supportops.delivery.completer import Completer
from supportops.delivery.final_write import Completed
from supportops.delivery.signs import QUIET, Signal
from supportops.messaging import Broker, open_broker
from supportops.messaging.kafka import Patience
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction, open_store
from supportops.store.tables import ENGINE
from supportops.ticket_version import version_of

APP = "tests.support.engine_app"
MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOW = timedelta(0)


@asynccontextmanager
async def store_on(url: str, clock: Clock | None = None, pool: int = 10) -> AsyncIterator[Store]:
    """A store of its own on the database at `url`: one process of a service."""
    settings = DatabaseSettings(url=SecretStr(url), pool=pool)
    async with open_store(settings, clock=clock or SystemClock()) as store:
        yield store


@asynccontextmanager
async def broker_on(address: str, flavour: str, patience: Patience | None = None) -> AsyncIterator[Broker]:
    """A broker object of one process."""
    settings = KafkaSettings.model_validate({"bootstrap_servers": address, "flavour": flavour})
    async with open_broker(settings, patience=patience) as broker:
        yield broker


def solved(ticket: int | str, *, event_id: str | None = None, position: int = 0) -> TicketSolved:
    """A ticket was solved, as ingest publishes it."""
    moment = MONDAY + position * SECOND
    return TicketSolved(
        id=event_id or str(uuid4()),
        source="/zendesk/22129848",
        time=moment,
        subject=str(ticket),
        account_id="22129848",
        ticket_id=str(ticket),
        version=version_of(moment, moment, position),
        road="native",
        actor_id="7",
        own_action=False,
        sequence_id=None,
        sequence_position=None,
        ticket=TicketSnapshot(status="solved"),
        solved_at=moment,
        previous_status="open",
    )


Answer = Callable[[Delivery], Outcome | Awaitable[Outcome]]


@dataclass
class FakeDestination:
    """Somebody else's server: remembers every call, answers what the test wants, raises what it returns as error.

    `answer` and `ask` get a delivery; they may await (a slow server) and raise.
    """

    spec: DestinationSpec
    answer: Answer = lambda _delivery: Done()
    ask: Callable[[Delivery], Outcome | None] = lambda _delivery: None
    calls: list[list[str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    flying: set[str] = field(default_factory=set)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append([delivery.key for delivery in deliveries])
        self.deliveries.extend(deliveries)
        keys = {delivery.key for delivery in deliveries}
        self.flying |= keys
        try:
            return [await _wait_for(self.answer(delivery)) for delivery in deliveries]
        finally:
            self.flying -= keys

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        self.asked.append(delivery.key)
        return self.ask(delivery)

    @property
    def keys(self) -> list[str]:
        """The keys that were called for, in order."""
        return [key for call in self.calls for key in call]


async def _wait_for(answer: Outcome | Awaitable[Outcome]) -> Outcome:
    return await answer if isinstance(answer, Awaitable) else answer


async def rows_of(store: Store, *keys: str) -> dict[str, Mapping[str, Any]]:
    """The delivery rows (all, or those of `keys`), by key."""
    d = ENGINE.deliveries
    query = select(d).order_by(d.c.id)
    async with store.reading() as conn:
        found = (await conn.execute(query)).mappings().all()
    return {row["key"]: dict(row) for row in found if not keys or row["key"] in keys}


async def state_of(store: Store, key: str) -> str | None:
    """The state of one delivery; None when there is no such row."""
    row = (await rows_of(store, key)).get(key)
    return None if row is None else str(row["state"])


@asynccontextmanager
async def running(*components: Any) -> AsyncIterator[asyncio.Event]:
    """Run components for the length of the block, then stop them in order."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for component in components:
            group.create_task(component.run(stopping))
        try:
            yield stopping
        finally:
            stopping.set()


def hasty(destination: Any) -> Any:
    """The same destination with a tenth of its waits between attempts; what a vendor asks for is kept."""
    waits = tuple(wait / 10 for wait in destination.spec.schedule)
    destination.spec = replace(destination.spec, schedule=waits)
    return destination


class ByHand:
    """The courier's two halves, claim and complete, driven step by step: a process that can stop anywhere."""

    def __init__(self, store: Store, spec: DestinationSpec, metrics: Metrics | None = None) -> None:
        self.store = store
        self.spec = spec
        self.completer = Completer(store, metrics or Metrics())

    async def schedule(self, key: str, *, lane: str | None = None, **options: Any) -> None:
        """Schedule one delivery, in its own transaction; its lane is its key unless told."""
        async with self.store.transaction() as tx:
            book_one(tx, self.spec.name, key, lane=lane, **options)

    async def rearm(self, key: str, *, lane: str | None = None, **options: Any) -> None:
        async with self.store.transaction() as tx:
            tx.deliveries.rearm(self.spec.name, key, lane=lane or key, **({"payload": {}} | options))

    async def cancel(self, key: str) -> None:
        async with self.store.transaction() as tx:
            tx.deliveries.cancel(self.spec.name, key)

    async def look(self, limit: int = 100) -> Claim:
        """One claim, with all that it says."""
        return await claim(self.store, self.spec, limit)

    async def claim(self, limit: int = 100) -> list[Delivery]:
        return (await self.look(limit)).deliveries

    async def take(self) -> Delivery:
        """The one delivery that can be claimed now."""
        (delivery,) = await self.claim()
        return delivery

    async def complete(
        self,
        *pairs: tuple[Delivery, Outcome],
        signal: Signal = QUIET,
        probe: bool = False,
        troubled: bool = False,
    ) -> None:
        """Write outcomes, as one group; `signal` is what the calls said about the destination."""
        now = self.store.clock.now()
        await self.completer.write(
            [Completed(d, o, self.spec, now, NOW, signal, probe, troubled) for d, o in pairs]
        )

    async def complete_started_at(self, started: datetime, delivery: Delivery, outcome: Outcome) -> None:
        """Write the outcome of a call that began a while ago."""
        await self.completer.write([Completed(delivery, outcome, self.spec, started, NOW)])


def book_one(tx: Transaction, destination: str, key: str, *, lane: str | None = None, **options: Any) -> None:
    """Schedule with the options that do not matter filled in."""
    tx.deliveries.schedule(destination, key, lane=lane or key, **({"payload": {}} | options))


async def give_way() -> None:
    """Let the other tasks run for a turn."""
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await turn
