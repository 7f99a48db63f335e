"""One law for outages: a destination that is down, broken by us or closed to us waits as a whole, and costs nothing."""

from collections import Counter
from datetime import timedelta

import pytest
import structlog

from supportops.clock import ManualClock
from supportops.delivery import Courier, Delivery, DestinationSpec, Discard, Done, Outcome, TryAgain, Unknown
from supportops.delivery.dead import DEAD, revive
from supportops.delivery.listing import list_deliveries
from supportops.delivery.outages.breaker import BUG_ROWS, OUTAGE_ROWS, REFUSALS
from supportops.delivery.outages.readiness import DestinationProbe
from supportops.delivery.outages.rows import breaker_of, resume
from supportops.delivery.signs import Sign, Signal
from supportops.errors import CredentialRefused, Forbidden, Retryable
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import SECOND, ByHand, FakeDestination, book_one, rows_of, running, store_on
from tests.support.eventually import eventually

MINUTE = timedelta(minutes=1)
SPEC = DestinationSpec("slack", concurrency=2)
DOWN = Signal(Sign.OUTAGE)


async def schedule(store: Store, count: int) -> None:
    async with store.transaction() as tx:
        for n in range(count):
            book_one(tx, SPEC.name, f"k{n}")


async def states(store: Store) -> Counter[str]:
    return Counter(row["state"] for row in (await rows_of(store)).values())


async def is_open(store: Store) -> bool:
    return (await breaker_of(store, SPEC.name)).is_open


async def test_a_vendor_that_is_away_costs_one_attempt_and_the_backlog_flows_when_it_is_back(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    away = True

    def answer(_delivery: Delivery) -> Outcome:
        if away:
            raise Retryable("no connection")
        return Done()

    slack = FakeDestination(SPEC, answer=answer)
    probe = DestinationProbe(store, SPEC.name, metrics)

    async def later() -> None:
        if await nothing_in_flight(store):
            clock.advance(SECOND)

    async def is_probed() -> bool:
        await later()
        return len(slack.keys) > OUTAGE_ROWS + SPEC.concurrency

    async def flows() -> bool:
        await later()
        return await all_done(store, 60)

    async with running(Courier(store, [slack], metrics)):
        await schedule(store, 60)
        await eventually(lambda: is_open(store))
        await eventually(is_probed)
        seen = await probe()
        assert not seen.ok
        assert "outage" in seen.detail
        assert metrics.value("destination_open", destination=SPEC.name) == 1
        away = False
        await eventually(flows, within=30)
        assert (await probe()).ok
    rows = await rows_of(store)
    assert max(row["attempts"] for row in rows.values()) <= 2
    assert len(slack.keys) < 60 + 20


async def all_done(store: Store, count: int) -> bool:
    return await states(store) == {"done": count}


async def test_a_bug_of_ours_stops_the_destination_after_a_few_rows_until_it_is_resumed(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    broken, most = True, BUG_ROWS + SPEC.concurrency

    def answer(_delivery: Delivery) -> Outcome:
        if broken:
            raise KeyError("name")
        return Done()

    slack = FakeDestination(SPEC, answer=answer)
    with structlog.testing.capture_logs() as lines:
        async with running(Courier(store, [slack], metrics)):
            await schedule(store, 40)
            await eventually(lambda: is_open(store))
            await eventually(lambda: nothing_in_flight(store))
            assert BUG_ROWS <= len(slack.keys) <= most
            assert await states(store) == {"waiting": 40}
            seen = await DestinationProbe(store, SPEC.name, metrics)()
            assert "deliveries resume slack" in seen.detail
            assert not seen.ok
            broken = False
            assert await resume(store, SPEC.name) is not None
            await eventually(lambda: at_rest(store, done=40 - most))
            clock.advance(MINUTE)  # those that failed wait for their own time
            await eventually(lambda: all_done(store, 40))
    loud = [line for line in lines if line["event"] == "destination.stopped"]
    assert [(line["log_level"], line["cause"]) for line in loud] == [("error", "bug")]


async def at_rest(store: Store, *, done: int) -> bool:
    """Whether so many are done, at least, and nothing is in flight."""
    return (await states(store))["done"] >= done and await nothing_in_flight(store)


async def nothing_in_flight(store: Store) -> bool:
    return all(row["lease_until"] is None for row in (await rows_of(store)).values())


async def test_replicas_share_a_breaker_and_send_one_row_out_between_them(
    app_database: str, clock: ManualClock
) -> None:
    async with store_on(app_database, clock) as one, store_on(app_database, clock) as other:
        ours, theirs = ByHand(one, SPEC), ByHand(other, SPEC)
        await schedule(one, 9)
        failing = await ours.claim(limit=OUTAGE_ROWS)
        await ours.complete(*((each, TryAgain(None, "503")) for each in failing), signal=DOWN)
        assert await theirs.claim() == []
        clock.advance(SECOND)
        (probe,) = await theirs.claim()
        assert await ours.claim() == []
        await theirs.complete((probe, Done()), signal=Signal(Sign.ALIVE), probe=True)
        assert len(await ours.claim()) == 9 - OUTAGE_ROWS - 1  # those that failed wait for their own time


async def test_a_probe_that_never_comes_back_is_followed_by_another(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, SPEC)
    await schedule(store, 9)
    failing = await hand.claim(limit=OUTAGE_ROWS)
    await hand.complete(*((each, TryAgain(None, "503")) for each in failing), signal=DOWN)
    clock.advance(SECOND)
    assert len(await hand.claim()) == 1
    clock.advance(SPEC.timeout + MINUTE)
    assert len(await hand.claim()) == 1


async def test_a_destination_that_was_away_is_red_while_something_waits_for_it(
    store: Store, clock: ManualClock, metrics: Metrics
) -> None:
    """Else it were red until the next row, with nothing to mend and nobody to find out that it is back."""
    hand, probe = ByHand(store, SPEC), DestinationProbe(store, SPEC.name, metrics)
    await schedule(store, OUTAGE_ROWS)
    failing = await hand.claim()
    await hand.complete(*((each, TryAgain(None, "503")) for each in failing), signal=DOWN)
    assert not (await probe()).ok
    for delivery in failing:
        await hand.cancel(delivery.key)
    seen = await probe()
    assert (seen.ok, "nothing waits for it" in seen.detail) == (True, True)
    await hand.schedule("next")
    assert not (await probe()).ok
    clock.advance(SECOND)
    assert [delivery.key for delivery in await hand.claim()] == ["next"]


async def test_the_only_row_of_a_destination_outlives_an_outage_of_seven_hours(
    store: Store, clock: ManualClock
) -> None:
    """Far more tries than its schedule has, one after the other at first; then hour by hour, for whom time is short."""
    hand, tried = ByHand(store, SPEC), 0
    await hand.schedule("k")
    for step in (*[30 * SECOND] * 40, *[timedelta(hours=1)] * 7):
        for delivery in await hand.claim():
            tried += 1
            await hand.complete((delivery, TryAgain(None, "no connection")), signal=DOWN)
        clock.advance(step)
    row = (await rows_of(store))["k"]
    assert (row["state"], row["attempts"]) == ("waiting", 1)
    assert (
        row["next_attempt_at"] - clock.now() <= 30 * SECOND
    )  # and one that is back is not left alone for hours
    assert tried > 3 * len(SPEC.schedule)


async def test_a_row_that_alone_fails_uses_its_attempts_and_holds_nobody_up(
    store: Store, clock: ManualClock
) -> None:
    hand, others = ByHand(store, SPEC), 0
    await hand.schedule("poison")
    while (await rows_of(store))["poison"]["state"] == "waiting":
        await hand.schedule(f"good{others}")
        for delivery in await hand.claim():
            if delivery.key == "poison":
                await hand.complete((delivery, TryAgain(None, "500")), signal=DOWN)
            else:
                others += 1
                await hand.complete((delivery, Done()), signal=Signal(Sign.ALIVE), troubled=True)
        assert not await is_open(store)
        clock.advance(timedelta(hours=1))
    assert (await rows_of(store))["poison"]["state"] == "dead"
    assert others > len(SPEC.schedule)


async def test_nobody_is_waited_for_without_end(store: Store, clock: ManualClock) -> None:
    hand = ByHand(store, SPEC)
    await hand.schedule("k")
    for _ in range(9):
        for delivery in await hand.claim():
            await hand.complete((delivery, TryAgain(None, "no connection")), signal=DOWN)
        clock.advance(timedelta(days=1))
    (dead,) = await list_deliveries(store, DEAD, 9)
    assert dead.reason == "gave up, nobody answered for 7 days: no connection"


async def test_rows_that_are_tried_late_outlive_an_outage_like_others(
    store: Store, clock: ManualClock
) -> None:
    """Nobody was running for eight days, or they are tried once more by hand: the outage is as young as it is."""
    hand = ByHand(store, SPEC)
    await schedule(store, OUTAGE_ROWS)
    clock.advance(timedelta(days=8))
    for delivery in await hand.claim():
        await hand.complete((delivery, TryAgain(None, "no connection")), signal=DOWN)
    for _ in range(3):
        clock.advance(MINUTE)
        (probe,) = await hand.claim()
        await hand.complete((probe, TryAgain(None, "no connection")), signal=DOWN, probe=True)
    assert await states(store) == {"waiting": OUTAGE_ROWS}


@pytest.mark.parametrize("error", [CredentialRefused("401"), Forbidden("403: no rights")])
async def test_a_credential_that_is_refused_pauses_and_alarms(
    live_store: Store, metrics: Metrics, error: Exception
) -> None:
    def refuse(_delivery: Delivery) -> Outcome:
        raise error

    slack = FakeDestination(SPEC, answer=refuse)
    with structlog.testing.capture_logs() as lines:
        async with running(Courier(live_store, [slack], metrics)):
            await schedule(live_store, 100)
            await eventually(lambda: is_open(live_store))
            await eventually(lambda: nothing_in_flight(live_store))
    assert (await states(live_store))["dead"] <= REFUSALS + SPEC.concurrency
    assert (await breaker_of(live_store, SPEC.name)).cause is Sign.CREDENTIAL
    loud = [line for line in lines if line["event"] == "destination.stopped"]
    assert [line["log_level"] for line in loud] == ["error"]


async def test_refusals_of_many_rows_for_one_reason_alarm_and_pause_nothing(
    live_store: Store, metrics: Metrics
) -> None:
    slack = FakeDestination(SPEC, answer=lambda delivery: Discard(f"channel {delivery.key}1: not_in_channel"))
    probe = DestinationProbe(live_store, SPEC.name, metrics)
    with structlog.testing.capture_logs() as lines:
        async with running(Courier(live_store, [slack], metrics)):
            await schedule(live_store, 20)
            await eventually(lambda: all_dead(live_store, 20))
    assert not (await probe()).ok
    assert [line["log_level"] for line in lines if line["event"] == "destination.refuses_all"] == ["error"]


async def all_dead(store: Store, count: int) -> bool:
    return await states(store) == {"dead": count}


async def test_an_outcome_that_nobody_can_know_is_listed_and_not_done(store: Store) -> None:
    hand = ByHand(store, SPEC)
    await hand.schedule("k")
    await hand.complete((await hand.take(), Unknown("outcome unknown, and nobody can be asked")))
    (listed,) = await list_deliveries(store, DEAD, 9)
    assert (listed.key, listed.reason) == ("k", "outcome unknown, and nobody can be asked")
    await revive(store)
    again = await hand.take()
    assert again.uncertain
    await hand.complete((again, Unknown("still")))
    await revive(store, ask=False)
    assert not (await hand.take()).uncertain
