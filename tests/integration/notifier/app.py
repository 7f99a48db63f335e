"""The service as these tests run it: handlers and courier around one store, and how its deliveries ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import delete, select

from notifier import tables
from notifier.feeds.context import MessageContext
from notifier.policy.conditions import NameRule
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.wiring import destinations, handlers_of
from supportops.contracts import Event
from supportops.delivery import Destination
from supportops.store import Store
from tests.integration.notifier.sandbox import GITLAB_COM, SELF_MANAGED
from tests.integration.notifier.service import Delivering

GITLAB_FORMS = ("GitLab.com", "GitLab.com (SAAS) Account Related Form")
RULES = NotifierPolicy(
    feeds=(
        FeedRule(name="self-managed", channel=SELF_MANAGED, forms=NameRule(exclude=GITLAB_FORMS)),
        FeedRule(name="gitlab-com", channel=GITLAB_COM, forms=NameRule(include=GITLAB_FORMS)),
    )
)


@dataclass
class Service(Delivering):
    """The service's handlers and courier around one store."""

    context: MessageContext

    @property
    def store(self) -> Store:
        return self.context.store

    async def hears(self, *events: Event) -> None:
        """As the consumer does with a batch of new events."""
        handlers = handlers_of(self.context.policy, self.context.scheduler)
        async with self.store.transaction() as tx:
            await handlers.run(list(events), tx)

    def destinations(self) -> Sequence[Destination]:
        return destinations(self.context)

    async def schedule(self, destination: str, key: str, payload: msgspec.Struct) -> None:
        """Have something called now."""
        async with self.store.transaction() as tx:
            built = msgspec.to_builtins(payload)
            tx.deliveries.schedule(destination, key, lane=key, payload=built)

    async def forget(self, ticket_id: str) -> None:
        """As the janitor does after a while."""
        async with self.store.transaction() as tx:
            await tx.execute(delete(tables.feed_tickets).where(tables.feed_tickets.c.ticket_id == ticket_id))

    async def messages(self) -> Sequence[Any]:
        """Our own record of what was posted."""
        async with self.store.reading() as conn:
            return (
                await conn.execute(select(tables.feed_messages).order_by(tables.feed_messages.c.ts))
            ).all()


def outcomes(settled: dict[str, dict[str, Any]], destination: str) -> list[str]:
    """Kinds of the outcomes of one destination, sorted."""
    return sorted(row["kind"] for key, row in settled.items() if key.startswith(f"{destination} "))
