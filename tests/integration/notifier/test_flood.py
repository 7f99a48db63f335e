"""5,000 feed events in a minute for one channel, with Slack's real limits: no backlog over two minutes, none lost."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from notifier import tables
from notifier.destinations import POSTS
from notifier.policy.routing import FeedRule
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, said
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside

pytestmark = [pytest.mark.long, pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)]
EVENTS, TICKETS, BATCH = 5_000, 200, 100
LIMIT = timedelta(minutes=2)
FLOODED = FeedRule(name="flooded", channel=SELF_MANAGED, lookups=False)


async def oldest(service: Service) -> timedelta:
    """How long the oldest line that is due has been waiting."""
    d, now = tables.engine.deliveries.c, service.store.clock.now()
    waiting = (d.destination == POSTS, d.state.in_(("waiting", "leased")), d.due_at <= now)
    async with service.store.reading() as conn:
        since = (await conn.execute(select(func.min(d.due_at)).where(*waiting))).scalar()
    return now - since.replace(tzinfo=UTC) if since is not None else timedelta()


async def flood(service: Service, tickets: list[dict[str, Any]]) -> None:
    """A batch every 1.2 seconds, as the consumer takes them."""
    clock = asyncio.get_running_loop()
    never, begun = clock.create_future(), clock.time()
    for start in range(0, EVENTS, BATCH):
        await asyncio.wait([never], timeout=max(0.0, begun + 60 * start / EVENTS - clock.time()))
        now = datetime.now(UTC)
        batch = [
            commented(tickets[n % TICKETS], said(str(10_000_000 + n), f"Line {n}"), now, sequence=str(n))
            for n in range(start, start + BATCH)
        ]
        await service.hears(*batch)
    never.cancel()


async def test_a_flood_of_lines_is_told_in_time_and_counted(
    open_service: OpenService, outside: Outside
) -> None:
    service = await open_service(RULES.model_copy(update={"feeds": (FLOODED,)}))
    tickets = [outside.create(form="Self-Managed") for _ in range(TICKETS)]
    number = str(tickets[0]["ticket_form_id"])
    ages: list[timedelta] = []
    async with service.delivering():
        service.context.scheduler.forms.learn(number, "Self-Managed", service.store.clock.now())
        flooding = asyncio.create_task(flood(service, tickets))
        while not flooding.done():
            ages.append(await oldest(service))
            await asyncio.wait([flooding], timeout=1)
        await flooding
        ended = datetime.now(UTC)
        await service.settled(within=150)
    posts = outside.posts(SELF_MANAGED)
    sums = [re.match(r"([\d,]+) updates? of ", post["text"]) for post in posts]
    summed = sum(int(found[1].replace(",", "")) for found in sums if found)
    print(
        f"\n{EVENTS} events: {len(posts)} messages, {len([s for s in sums if s])} of them summaries of {summed} lines;"
        f" oldest line that waited {max(ages).total_seconds():.1f} s; all told"
        f" {(datetime.now(UTC) - ended).total_seconds():.1f} s after the last event"
    )
    assert summed + len([found for found in sums if not found]) == EVENTS
    assert max(ages) < LIMIT
