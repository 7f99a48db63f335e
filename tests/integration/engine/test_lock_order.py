"""Consumers, couriers and operators change the same tickets, deliveries and lanes; nobody waits in a circle.

PostgreSQL would notice after a second and fail one of them, who comes again: slow, loud, and easily overlooked. So a
deadlock is a failure here (decision 105).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from random import Random

import pytest
from sqlalchemy import text

from supportops.clock import ManualClock
from supportops.delivery import DestinationSpec, Done
from supportops.store import Store, Transaction
from supportops.store.lanes import Lane
from tests.support.engine import ByHand, store_on
from tests.support.engine_app.tables import tickets

pytestmark = [pytest.mark.parametrize("dialect", ["postgres"], indirect=True), pytest.mark.timeout(120)]
SPEC = DestinationSpec("slack")
TICKETS = [f"t{n}" for n in range(12)]
ROUNDS = 60


@pytest.fixture
async def stores(app_database: str, clock: ManualClock) -> AsyncIterator[list[Store]]:
    """Six processes."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(store_on(app_database, clock)) for _ in range(6)]


async def test_nobody_waits_in_a_circle(stores: list[Store]) -> None:
    async with stores[0].transaction() as tx:
        rows = await tx.load(tickets, TICKETS)
        for ticket in TICKETS:
            rows.put(ticket, status="open")
    one, two, three, *settling = stores
    async with asyncio.TaskGroup() as group:
        for number, store in enumerate((one, two)):
            group.create_task(consume(store, Random(number)))
        group.create_task(operate(three, Random(7)))
        settled = [group.create_task(settle(store, Random(number))) for number, store in enumerate(settling)]
    assert sum(task.result() for task in settled) > ROUNDS  # they had to do with each other
    async with one.reading() as conn:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert (await conn.execute(text(deadlocks))).scalar() == 0


async def consume(store: Store, random: Random) -> None:
    """Batches of events about some tickets: state first, then deliveries in whatever order the handlers want."""
    for number in range(ROUNDS):
        some = random.sample(TICKETS, 5)
        async with store.transaction() as tx:
            await tx.load_all({tickets: some})
            for ticket in some:
                follow_up(ticket, f"{id(store)}-{number}", random, tx)


def follow_up(ticket: str, name: str, random: Random, tx: Transaction) -> None:
    rows = tx.rows(tickets)
    rows.put(ticket, solves=(rows.get(ticket) or {})["solves"] + 1)
    tx.deliveries.schedule("slack", f"{ticket}-{name}", lane=random.choice(TICKETS), payload={})
    tx.deliveries.rearm("slack", f"timer-{ticket}", lane=ticket, payload={})
    tx.deliveries.cancel("slack", f"timer-{random.choice(TICKETS)}")


async def settle(store: Store, random: Random) -> int:
    """Claim, and write what came of it with all that follows; how many rows that were."""
    hand, settled = ByHand(store, SPEC), 0
    for number in range(ROUNDS):
        claimed = await hand.claim(limit=random.randint(1, 8))
        pairs = []
        for each in claimed:
            ticket = random.choice(TICKETS)
            then = partial(follow_up, ticket, f"s{id(store)}-{number}-{each.key}", random)
            pairs.append((each, Done({}, then, ((tickets, ticket),))))
        if pairs:
            await hand.complete(*pairs)
        settled += len(pairs)
    return settled


async def operate(store: Store, random: Random) -> None:
    """Commands and renewals: lanes of several destinations' rows, in one order too."""
    for _ in range(ROUNDS):
        async with store.transaction() as tx:
            for ticket in random.sample(TICKETS, 4):
                tx.deliveries.cancel("slack", f"timer-{ticket}", reason="by hand")
                tx.deliveries.may_be_claimed(Lane("slack", ticket), tx.now)
