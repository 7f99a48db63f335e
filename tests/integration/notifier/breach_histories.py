"""A notifier without broker, process and wall clock: its handlers, rows and deliveries, moved on by hand."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, cast

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select

from notifier import tables
from notifier.breaches.acknowledge import take_click
from notifier.breaches.context import BreachContext
from notifier.breaches.handlers import BreachHandlers
from notifier.breaches.reader import AccountHours, SlaReader
from notifier.breaches.second_roads import Outside, overdue_watch
from notifier.breaches.watch import poll
from notifier.destinations import BREACH_NOTICES
from notifier.policy.breaches import BreachPolicy
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.silences import About, Silence, add
from notifier.settings import SlackSettings
from notifier.slack.client import open_slack
from notifier.slack.requests import Click
from notifier.wiring import breach_destinations
from supportops.contracts import TicketEvent
from supportops.delivery import Delivery, Destination, DestinationSpec
from supportops.delivery.attempt import call
from supportops.delivery.claims import Claim, claim
from supportops.delivery.completer import Completer
from supportops.delivery.final_write import Completed
from supportops.messaging import Handlers
from supportops.observability.metrics import Metrics
from supportops.vendors.signed_webhook import open_webhook
from tests.support.breach_account import SlackInMemory, ZendeskInMemory, said_of
from tests.support.breach_model import RULES, Model
from tests.support.engine import NOW
from tests.support.histories import HistoryWorld

LEASE = timedelta(seconds=20)  # and more
MOST_ROUNDS = 100
SECRET = SecretStr("whsec_c2l4dGVlbi1ieXRlcy1vci1tb3Jl")
ROADS = {"premium": [{"by": "webhook"}]}
POLICY = NotifierPolicy(
    breaches=BreachPolicy.model_validate(
        {
            "posts_per_minute": None,
            "rules": [
                {
                    "name": name,
                    "channel": rule.channel,
                    "title": name,
                    "tags": {"any": [rule.plan]},
                    "priorities": rule.priorities,
                    "steps": rule.steps,
                    "second_roads": ROADS.get(name, []),
                    "tag": "told",
                }
                for name, rule in RULES.items()
            ],
        }
    ),
    channel_pace=None,
)


class Notifier:
    """The part that is about breaches, as one process builds it; `closing` ends its clients."""

    def __init__(
        self, world: HistoryWorld, model: Model, zendesk: ZendeskInMemory, slack: SlackInMemory
    ) -> None:
        self._store, self._model, self._slack = world.store, model, slack
        self._zendesk = zendesk
        self._completer = Completer(world.store, Metrics())
        self.closing = AsyncExitStack()
        self.dies: str | None = None  # at its next notice: before the call, or after it and before the record
        self._waits: dict[str, datetime] = {}

    async def open(self) -> "Notifier":
        store, clock, made = self._store, self._store.clock, Metrics()
        settings = SlackSettings(base_url="https://slack.example/api", token=SecretStr("xoxb-test"))
        slack = await self.closing.enter_async_context(
            open_slack(settings, clock=clock, metrics=made, transport=httpx.MockTransport(self._slack.answer))
        )
        webhook = await self.closing.enter_async_context(
            open_webhook(
                SecretStr("https://hooks.example/1"),
                SECRET,
                clock=clock,
                transport=httpx.MockTransport(self._hear_webhook),
            )
        )
        account = cast(Any, self._zendesk)
        reader, hours = SlaReader(account, account, store), AccountHours(account, None)
        context = BreachContext(
            store, POLICY, account, reader, hours, slack, "https://acme.zendesk.com", made
        )
        self.context = context
        self._handlers = BreachHandlers(POLICY.breaches).add_to(Handlers())
        self._destinations = {each.spec.name: each for each in breach_destinations(context, Outside(webhook))}
        self._poll, self._overdue = poll(context), overdue_watch(context)
        return self

    def _hear_webhook(self, request: httpx.Request) -> httpx.Response:
        self._model.hear_of(said_of(request.headers["webhook-id"], self._store.clock.now(), "webhook"))
        return httpx.Response(204)

    async def hear(self, events: Sequence[TicketEvent]) -> None:
        """A batch of events, as the consumer takes it."""
        async with self._store.transaction() as tx:
            await self._handlers.run(list(events), tx)

    async def press(self, button: str, target: str, user: str, number: int) -> None:
        """Somebody presses a button of a notice."""
        click = Click(f"click:{number}", button, target, user, "T1", "C0PREMIUM")
        await take_click(self._store, POLICY.breaches.acknowledge, click, False)

    async def silence(self, about: About, value: str, until: datetime, number: int) -> None:
        """Somebody wants quiet for a while."""
        now = self._store.clock.now()
        async with self._store.transaction() as tx:
            await add(tx, Silence(str(number), about, value, "a test", "ada", now, until))

    async def taken_until(self, target: str) -> datetime | None:
        """Until when somebody has a target on hand."""
        query = select(tables.breach_targets.c.taken_until).where(tables.breach_targets.c.key == target)
        async with self._store.reading() as conn:
            found: datetime | None = (await conn.execute(query)).scalar()
        return found

    async def look(self) -> None:
        """The periodic jobs."""
        await self._poll.run_if_due()
        await self._overdue.run_if_due()

    async def next_moment(self) -> datetime | None:
        """When something is worth a claim; what waits for a destination that is left alone comes with its probe."""
        return min((await self._moments()).values(), default=None)

    async def _moments(self) -> dict[str, datetime]:
        lanes = tables.engine.lanes.c
        query = select(lanes.destination, func.min(lanes.claimable_at)).group_by(lanes.destination)
        async with self._store.reading() as conn:
            rows = (await conn.execute(query.where(lanes.claimable_at.is_not(None)))).all()
        return {row[0]: max(row[1], self._waits.get(row[0], row[1])) for row in rows}

    async def work(self) -> bool:
        """Everything that is due now; False when it died of it."""
        now, rounds = self._store.clock.now(), 0
        while due := [name for name, moment in (await self._moments()).items() if moment <= now]:
            rounds += 1
            assert rounds < MOST_ROUNDS, f"no end of what is due at {now}: {due}"
            for name in due:
                destination = self._destinations[name]
                found = await claim(self._store, destination.spec, 100)
                self._waits.pop(name, None)
                if found.troubled and not found.deliveries and found.look_again_at is not None:
                    self._waits[name] = found.look_again_at
                for batch in batched(found.deliveries, destination.spec.batch):
                    if not await self._call(destination, batch, found):
                        return False
        return True

    async def _call(self, destination: Destination, batch: Sequence[Delivery], lease: Claim) -> bool:
        spec: DestinationSpec = destination.spec
        dies = self.dies if spec.name == BREACH_NOTICES else None
        if dies == "before":
            return False
        started = self._store.clock.now()
        ended = await call(destination, batch)
        if dies == "after":
            return False
        await self._completer.write(
            [
                Completed(
                    delivery, each.outcome, spec, started, NOW, each.signal, lease.probe, lease.troubled
                )
                for delivery, each in zip(batch, ended, strict=True)
            ]
        )
        return True
