"""Periodic jobs: any number of replicas, one of them runs the job; the janitor is one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from supportops.clock import ManualClock
from supportops.delivery import DestinationSpec, Done
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.tables import ENGINE
from supportops.workers import Periodic, Retention, engine_retention, janitor
from tests.support.engine import SECOND, ByHand, rows_of, running, store_on
from tests.support.engine_app.tables import tickets
from tests.support.eventually import eventually

EVERY = timedelta(seconds=1)
LEASE = timedelta(minutes=5)


class Job:
    """Counts its runs; can be made to hang or to fail."""

    def __init__(self, store: Store, every: timedelta = EVERY) -> None:
        self.runs = 0
        self.hangs = False
        self.fails = False
        self.component = Periodic("job", store, self, every)

    async def __call__(self) -> None:
        self.runs += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise KeyError("a bug of ours")


@pytest.fixture
async def replicas(app_database: str, clock: ManualClock) -> AsyncIterator[tuple[Job, Job]]:
    async with store_on(app_database, clock) as one, store_on(app_database, clock) as other:
        yield Job(one), Job(other)


async def test_one_of_two_replicas_runs_the_job_once_per_period(
    replicas: tuple[Job, Job], clock: ManualClock
) -> None:
    one, other = replicas
    for runs in (1, 2, 3):
        ran = await asyncio.gather(*(replica.component.run_if_due() for replica in replicas))
        assert sorted(ran) == [False, True]
        assert one.runs + other.runs == runs
        clock.advance(EVERY)


async def test_it_runs_by_itself_until_it_is_stopped(replicas: tuple[Job, Job]) -> None:
    one, other = replicas
    async with running(one.component, other.component):
        await eventually(lambda: one.runs + other.runs == 1)


async def test_nobody_runs_it_again_before_its_time(replicas: tuple[Job, Job], clock: ManualClock) -> None:
    one, other = replicas
    assert await one.component.run_if_due()
    clock.advance(EVERY - timedelta(milliseconds=1))
    assert not await one.component.run_if_due()
    assert not await other.component.run_if_due()
    clock.advance(timedelta(milliseconds=1))
    assert await other.component.run_if_due()
    assert (one.runs, other.runs) == (1, 1)


async def test_the_lease_of_a_dead_replica_is_taken_over_when_it_ends(
    replicas: tuple[Job, Job], clock: ManualClock
) -> None:
    dead, alive = replicas
    dead.hangs = True
    dying = asyncio.create_task(dead.component.run_if_due())
    await eventually(lambda: dead.runs == 1)
    dying.cancel()
    await asyncio.wait((dying,))
    clock.advance(LEASE - SECOND)
    assert not await alive.component.run_if_due()
    clock.advance(SECOND)
    assert await alive.component.run_if_due()


async def test_a_clock_that_was_a_day_ahead_does_not_hold_the_job_up_for_a_day(
    replicas: tuple[Job, Job], clock: ManualClock
) -> None:
    one, other = replicas
    day = timedelta(days=1)
    clock.advance(day)
    assert await one.component.run_if_due()
    clock.advance(-day)
    assert await other.component.run_if_due()
    one.hangs = True
    clock.advance(day)
    hanging = asyncio.create_task(one.component.run_if_due())
    await eventually(lambda: one.runs == 2)
    hanging.cancel()
    clock.advance(EVERY - day)
    assert await other.component.run_if_due()


async def test_a_run_that_failed_does_not_end_the_component_and_comes_again(
    replicas: tuple[Job, Job], clock: ManualClock
) -> None:
    one, _ = replicas
    one.fails = True
    async with running(one.component):
        await eventually(lambda: one.runs == 1)
        one.fails = False
        clock.advance(LEASE)
        await eventually(lambda: one.runs == 2)


async def test_jobs_do_not_wait_for_each_other(store: Store) -> None:
    ran: list[str] = []

    async def run(name: str) -> None:
        ran.append(name)

    for name in ("a", "b"):
        await Periodic(name, store, lambda name=name: run(name), EVERY).run_if_due()  # type: ignore[misc]
    assert ran == ["a", "b"]


async def test_the_janitor_removes_what_is_past_its_keep_and_nothing_else(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    hand = ByHand(store, DestinationSpec("slack"))
    day = timedelta(days=1)
    await hand.schedule("old")
    await hand.complete((await hand.take(), Done()))
    await hand.schedule("old but waiting", due_at=clock.now() + 90 * day)
    await take(store, *(f"old{n}" for n in range(4_500)))
    clock.advance(31 * day)
    await hand.schedule("fresh")
    await hand.complete((await hand.take(), Done()))
    await take(store, "fresh")
    assert await janitor(store, engine_retention(), metrics).run_if_due()
    assert (await rows_of(store)).keys() == {"old but waiting", "fresh"}
    async with store.reading() as conn:
        assert list((await conn.execute(select(ENGINE.inbox.c.event_id))).scalars()) == ["fresh"]
    assert metrics.value("rows_pruned", table="inbox") == 4_500


async def test_a_service_adds_its_own_tables_to_the_janitor(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    async with store.transaction() as tx:
        for key, closed in (("old", clock.now()), ("open", None)):
            await tx.execute(insert(tickets), {"ticket_id": key, "solves": 0, "closed_at": closed})
    clock.advance(timedelta(days=2))
    rule = Retention(tickets, tickets.c.closed_at, timedelta(days=1))
    await janitor(store, [rule], metrics).run_if_due()
    async with store.reading() as conn:
        assert list((await conn.execute(select(tickets.c.ticket_id))).scalars()) == ["open"]


async def take(store: Store, *event_ids: str) -> None:
    async with store.transaction() as tx:
        await tx.execute(
            insert(ENGINE.inbox),
            [{"consumer_group": "csat", "event_id": one, "seen_at": tx.now} for one in event_ids],
        )
