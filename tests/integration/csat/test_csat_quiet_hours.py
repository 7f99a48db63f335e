"""A survey that is due while its requester sleeps waits for the morning, and that costs it nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from csat import tables
from csat.destinations import SURVEY
from csat.policy.csat import CsatPolicy
from csat.policy.quiet_hours import QuietHours
from csat.solve import Solve
from csat.surveys.eligibility import EligibilityReader
from supportops.clock import ManualClock, SystemClock
from supportops.store import Store
from supportops.vendors.zendesk import Organization, Ticket, User, Zendesk
from tests.integration.csat.app import NOW, working
from tests.integration.csat.assertions import deliveries
from tests.integration.csat.events import solved
from tests.integration.csat.sandbox import Outside
from tests.support.eventually import eventually

NIGHT = QuietHours.model_validate({"starts": "22:00", "ends": "08:00"})


def around_now(zone_offset: timedelta) -> QuietHours:
    """Quiet for the next two hours or so by a clock that is `zone_offset` ahead of UTC."""
    wall = SystemClock().now() + zone_offset
    begin, end = wall - timedelta(hours=1), wall + timedelta(hours=2)
    return QuietHours.model_validate({"starts": f"{begin:%H:%M}", "ends": f"{end:%H:%M}"})


async def test_it_waits_and_uses_up_no_attempt(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    quiet = around_now(timedelta(hours=5, minutes=30))
    rules = NOW.model_copy(update={"quiet_hours": quiet})
    sleeper = {"name": "Asha", "email": "asha@home.example", "time_zone": "Mumbai", "iana_time_zone": None}
    asleep = (await outside.post("/zendesk/users", **sleeper))["user"]["id"]
    waits, at = await outside.solved_ticket(requester_id=asleep)
    goes, then = await outside.solved_ticket()

    async def told() -> Any:
        rows = {row.lane: row for row in (await deliveries(live_store, SURVEY)).values()}
        assert rows[goes].state == "done"
        assert rows[waits].history
        return rows[waits]

    async with working(live_store, zendesk, rules) as csat:
        await csat.hear(solved(waits, at), solved(goes, then))
        row = await eventually(told, within=20)
    assert (row.state, row.attempts) == ("waiting", 0)
    [entry] = orjson.loads(row.history)
    assert "quiet hours of the requester (Asia/Kolkata) until" in entry["reason"]
    assert timedelta(hours=1, minutes=58) < row.next_attempt_at - SystemClock().now() < timedelta(hours=2)
    assert await outside.surveys(waits) == []
    assert len(await outside.surveys(goes)) == 1
    await in_the_morning(live_store)
    async with working(live_store, zendesk) as csat:
        await csat.settled()
    assert len(await outside.surveys(waits)) == 1


async def in_the_morning(store: Store) -> None:
    async with store.transaction() as tx:
        d = tables.engine.deliveries
        await tx.execute(d.update().where(d.c.state == "waiting").values(next_attempt_at=tx.now))
        lanes = tables.engine.lanes
        await tx.execute(lanes.update().where(lanes.c.claimable_at.is_not(None)).values(claimable_at=tx.now))


class Berlin:
    """A Zendesk with one ticket, whose requester lives in Berlin."""

    async def ticket(self, ticket_id: str) -> Ticket | None:
        values = {"id": int(ticket_id), "status": "solved", "requester_id": 5, "organization_id": 9}
        return Ticket.model_validate(values | {"updated_at": "2026-03-01T00:00:00Z"})

    async def users(self, _ids: Any) -> dict[str, User]:
        return {"5": User.model_validate({"id": 5, "iana_time_zone": "Europe/Berlin"})}

    async def get(self, key: str) -> Organization | None:
        return Organization.model_validate({"id": int(key), "name": "Acme"})

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody needs {name}")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def read_at(store: Store, clock: ManualClock, now: str, due: str) -> Any:
    clock.advance(utc(now) - clock.now())
    berlin = Berlin()
    rules = CsatPolicy(quiet_hours=NIGHT)
    solve = Solve("17", utc(due) - rules.survey_after, utc(due), None)
    return await EligibilityReader(store, berlin, berlin, rules).read(solve)


async def test_the_night_in_which_the_clocks_change(store: Store, clock: ManualClock) -> None:
    """Eight in the morning is six o'clock UTC after the spring night, seven before it and after the autumn one."""
    spring = await read_at(store, clock, "2026-03-28T23:00", due="2026-03-28T23:00")
    assert (spring.quiet_until, spring.time_zone) == (utc("2026-03-29T06:00"), "Europe/Berlin")
    before = await read_at(store, clock, "2026-03-27T23:00", due="2026-03-27T23:00")
    assert before.quiet_until == utc("2026-03-28T07:00")
    autumn = await read_at(store, clock, "2026-10-24T23:00", due="2026-10-24T23:00")
    assert autumn.quiet_until == utc("2026-10-25T07:00")
    awake = await read_at(store, clock, "2026-10-25T07:00", due="2026-10-24T23:00")
    assert awake.quiet_until is None


async def test_it_does_not_become_too_late_by_waiting(store: Store, clock: ManualClock) -> None:
    """Its last moment lay in the night: it is asked in the morning, within the hour, and not a day later."""
    due = "2026-06-01T23:00"  # a week later it is one o'clock in Berlin
    morning = await read_at(store, clock, "2026-06-09T06:00", due)
    assert morning.facts.moment.now <= morning.facts.moment.deadline
    assert morning.facts.moment.deadline == utc("2026-06-09T07:00")
    by_day = await read_at(store, clock, "2026-06-08T12:00", "2026-06-01T12:00")
    assert by_day.facts.moment.deadline == utc("2026-06-08T12:00")
