"""A courier around one store, and how its deliveries ended: what the notifier's tests share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import select

from notifier import tables
from supportops.contracts import Event
from supportops.delivery import Courier, Destination
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import hasty
from tests.support.eventually import eventually


class Delivering:
    """Runs a courier for the destinations of whoever inherits it."""

    @property
    def store(self) -> Store:
        raise NotImplementedError

    def destinations(self) -> Sequence[Destination]:
        raise NotImplementedError

    async def hears(self, *events: Event) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def delivering(self, *only: str) -> AsyncIterator[None]:
        """The courier runs meanwhile, for all destinations or for those named."""
        stopping = asyncio.Event()
        destinations = [each for each in self.destinations() if not only or each.spec.name in only]
        courier = Courier(self.store, [hasty(each) for each in destinations], Metrics())
        running = asyncio.create_task(courier.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await running

    async def deliveries(self) -> dict[str, dict[str, Any]]:
        """Every delivery by destination and key: state, attempts, outcome."""
        d = tables.engine.deliveries
        async with self.store.reading() as conn:
            rows = (await conn.execute(select(d))).all()
        return {
            f"{row.destination} {row.key}": {
                "state": row.state,
                "attempts": row.attempts,
                "due_at": row.due_at,
                **(orjson.loads(row.outcome) if row.outcome else {}),
            }
            for row in rows
        }

    async def settled(
        self, within: float = 20, *, ahead: bool = False, of: str = ""
    ) -> dict[str, dict[str, Any]]:
        """`deliveries`, as soon as nothing `of` a destination waits any more (none: of all).

        `ahead`: but for what is due in more than a minute.
        """

        async def all_finished() -> dict[str, dict[str, Any]]:
            found = await self.deliveries()
            soon = self.store.clock.now().timestamp() + 60
            assert not [
                key
                for key, row in found.items()
                if key.startswith(of)
                and row["state"] in ("waiting", "leased")
                and not (ahead and row["due_at"].timestamp() > soon)
            ]
            return found

        return await eventually(all_finished, within=within, every=0.1, about="an end of all deliveries")

    async def after(self, *events: Event, ahead: bool = False) -> dict[str, dict[str, Any]]:
        """What became of everything that these events caused."""
        async with self.delivering():
            await self.hears(*events)
            return await self.settled(ahead=ahead)
