"""The service as these tests run it: handlers and courier around one store, and how its deliveries ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select

from notifier import tables
from notifier.feeds.context import MessageContext
from notifier.feeds.handlers import FeedHandlers
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule, FormRule
from notifier.wiring import destinations
from supportops.contracts import Event
from supportops.delivery import Courier
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.notifier.sandbox import GITLAB_COM, SELF_MANAGED
from tests.support.engine import hasty
from tests.support.eventually import eventually

GITLAB_FORMS = ("GitLab.com", "GitLab.com (SAAS) Account Related Form")
RULES = NotifierPolicy(
    feeds=(
        FeedRule(name="self-managed", channel=SELF_MANAGED, forms=FormRule(exclude=GITLAB_FORMS)),
        FeedRule(name="gitlab-com", channel=GITLAB_COM, forms=FormRule(include=GITLAB_FORMS)),
    )
)


@dataclass
class Service:
    """The service's handlers and courier around one store."""

    context: MessageContext

    @property
    def store(self) -> Store:
        return self.context.store

    async def hears(self, *events: Event) -> None:
        """As the consumer does with a batch of new events."""
        handlers = FeedHandlers(self.context.policy, self.context.scheduler).table()
        async with self.store.transaction() as tx:
            await handlers.run(list(events), tx)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """The courier runs meanwhile."""
        stopping = asyncio.Event()
        courier = Courier(self.store, [hasty(each) for each in destinations(self.context)], Metrics())
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
                **(orjson.loads(row.outcome) if row.outcome else {}),
            }
            for row in rows
        }

    async def settled(self, within: float = 20) -> dict[str, dict[str, Any]]:
        """`deliveries`, as soon as nothing waits any more."""

        async def all_finished() -> dict[str, dict[str, Any]]:
            found = await self.deliveries()
            assert not [key for key, row in found.items() if row["state"] in ("waiting", "leased")]
            return found

        return await eventually(all_finished, within=within, every=0.1, about="an end of all deliveries")

    async def after(self, *events: Event) -> dict[str, dict[str, Any]]:
        """What became of everything that these events caused."""
        async with self.delivering():
            await self.hears(*events)
            return await self.settled()

    async def messages(self) -> Sequence[Any]:
        """Our own record of what was posted."""
        async with self.store.reading() as conn:
            return (
                await conn.execute(select(tables.feed_messages).order_by(tables.feed_messages.c.ts))
            ).all()


def outcomes(settled: dict[str, dict[str, Any]], destination: str) -> list[str]:
    """Kinds of the outcomes of one destination, sorted."""
    return sorted(row["kind"] for key, row in settled.items() if key.startswith(f"{destination} "))
