"""Breach notices as these tests run them: handlers and courier around one store, and what the stand-in was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from notifier import tables, wiring
from notifier.breaches.context import BreachContext
from notifier.breaches.handlers import BreachHandlers
from notifier.policy.breaches import BreachPolicy, BreachRule
from notifier.policy.notifier import NotifierPolicy
from supportops.contracts import Event
from supportops.delivery import Destination
from supportops.messaging import Handlers
from supportops.store import Store
from tests.integration.notifier.sandbox import Outside
from tests.integration.notifier.service import Delivering

CHANNEL = "breach-self-managed"
METRIC = "first_reply_time"
SECOND = timedelta(seconds=1)


def rule(*steps: str, **values: Any) -> BreachRule:
    """A rule for tickets tagged premium."""
    usual: dict[str, Any] = {
        "name": "premium",
        "channel": CHANNEL,
        "title": "[SLAH] Notice",
        "tags": {"any": ["premium"]},
    }
    return BreachRule.model_validate(usual | {"steps": steps or ("1h",)} | values)


def policy(*rules: BreachRule, channel_pace: timedelta | None = SECOND, **values: Any) -> NotifierPolicy:
    """The rules, read at once."""
    quick: dict[str, Any] = {"reading_delay": "0s", "look_before": "0s", "patience": "3s"}
    breaches = BreachPolicy.model_validate({"rules": rules or (rule(),)} | quick | values)
    return NotifierPolicy(breaches=breaches, channel_pace=channel_pace)


@dataclass
class BreachService(Delivering):
    """The part of the service that is about breaches."""

    context: BreachContext

    @property
    def store(self) -> Store:
        return self.context.store

    def destinations(self) -> Sequence[Destination]:
        return wiring.breach_destinations(self.context)

    async def hears(self, *events: Event) -> None:
        """As the consumer does with a batch of new events."""
        handlers = BreachHandlers(self.context.rules).add_to(Handlers())
        async with self.store.transaction() as tx:
            await handlers.run(list(events), tx)

    async def rows(self, table: Any = tables.breach_notices) -> list[dict[str, Any]]:
        """Our own records."""
        async with self.store.reading() as conn:
            order = [column for column in table.c if column.name == "changed_at"]
            query = select(table).order_by(*order, *table.primary_key.columns)
            return [dict(row) for row in (await conn.execute(query)).mappings()]

    async def states(self) -> dict[str, tuple[str, str | None]]:
        """What became of each notice, by metric and step, and why."""
        rows = await self.rows()
        return {f"{row['metric']} {row['step']}": (row["state"], row["reason"]) for row in rows}


def target(breach_at: datetime, stage: str = "active", metric: str = METRIC) -> dict[str, Any]:
    """A target as REST shows it."""
    return {"metric": metric, "stage": stage, "breach_at": f"{breach_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def soon(**length: float) -> datetime:
    """A whole second so far from now."""
    return (datetime.now(UTC) + timedelta(**length)).replace(microsecond=0)


def new_ticket(outside: Outside, *targets: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A premium ticket with these targets."""
    ticket = outside.create(**({"tags": ["premium"], "form": "Self-Managed"} | values))
    outside.set_sla(str(ticket["id"]), *targets)
    return ticket
