"""SLA targets and schedules: which road is found, what each answer means, and what is no answer."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from supportops.errors import Permanent, Retryable, Unreadable
from supportops.time_zones import IANA, zone_of
from supportops.vendors.zendesk import Zendesk
from supportops.vendors.zendesk.sla import RoadClosed, SlaRoad
from tests.unit.supportops.vendors.fake_zendesk import Fake, client_of

DUE = datetime(2026, 3, 2, 11, tzinfo=UTC)
ACTIVE = {"breach_at": "2026-03-02T11:00:00Z", "stage": "active", "metric": "first_reply_time", "hours": 2}
ACHIEVED = {
    "breach_at": "2025-10-12T11:00:00Z",
    "stage": "achieved",
    "metric": "requester_wait_time",
    "days": -141,
}
TARGETS = {"policy_metrics": [ACTIVE, ACHIEVED]}
GONE: tuple[int, Any] = (404, {"error": "RecordNotFound"})
SMALL = (200, TARGETS)


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
async def zendesk(fake: Fake) -> AsyncIterator[Zendesk]:
    async with client_of(fake) as client:
        yield client


def beside(key: str, slas: Any = TARGETS) -> tuple[int, Any]:
    ticket = {"id": 7, "status": "open"} | ({} if slas is None else {"slas": slas})
    return 200, {key: [ticket]}


@pytest.mark.parametrize(
    ("answers", "road", "targets", "answered"),
    [
        ([SMALL], SlaRoad.TICKET, 2, True),
        ([(200, {"policy_metrics": []})], SlaRoad.TICKET, 0, True),
        ([GONE, beside("tickets")], SlaRoad.SIDELOAD, 2, True),
        ([(403, {}), beside("tickets")], SlaRoad.SIDELOAD, 2, True),
        (
            [GONE, beside("tickets", {"policy_metrics": []})],
            None,
            0,
            True,
        ),  # no SLA, or no first road: who knows
        ([GONE, beside("tickets", None), beside("results")], SlaRoad.SEARCH, 2, True),
        ([GONE, beside("tickets", None), beside("results", None)], None, 0, False),
        ([GONE, (403, {}), (403, {})], None, 0, False),
        ([GONE, (200, {"tickets": []})], None, 0, True),  # the ticket is gone
    ],
)
async def test_the_road_is_the_first_that_shows_something(
    fake: Fake,
    zendesk: Zendesk,
    answers: list[tuple[int, Any]],
    road: SlaRoad | None,
    targets: int,
    answered: bool,
) -> None:
    for status, body in answers:
        fake.give(status, body)
    found = await zendesk.slas.probe("7")
    assert (found.road, len(found.targets), found.answered) == (road, targets, answered)
    assert len(fake.requests) == len(answers)


async def test_an_outage_is_no_closed_road(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(503, {})
    with pytest.raises(Retryable):
        await zendesk.slas.probe("7")


async def test_the_stage_comes_before_the_moment(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(200, TARGETS)
    (active, achieved) = (await zendesk.slas.read(SlaRoad.TICKET, ["7"]))["7"]
    assert (active.runs, active.breach_at) == (True, DUE)
    assert not achieved.runs


async def test_few_tickets_are_asked_for_at_a_time_where_answers_are_large(
    fake: Fake, zendesk: Zendesk
) -> None:
    for _ in range(3):
        fake.give(*beside("tickets"))
    found = await zendesk.slas.read(SlaRoad.SIDELOAD, [str(number) for number in range(7, 32)])
    assert [len(each.url.params["ids"].split(",")) for each in fake.requests] == [10, 10, 5]
    assert set(found) == {"7"}


async def test_a_ticket_without_an_sla_has_no_targets(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(*GONE)
    assert await zendesk.slas.read(SlaRoad.TICKET, ["7"]) == {"7": ()}


@pytest.mark.parametrize("road", [SlaRoad.SIDELOAD, SlaRoad.SEARCH])
async def test_a_field_that_is_null_is_no_closed_road(fake: Fake, zendesk: Zendesk, road: SlaRoad) -> None:
    fake.give(200, {"tickets" if road is SlaRoad.SIDELOAD else "results": [{"id": 7, "slas": None}]})
    assert await zendesk.slas.read(road, ["7"]) == {}


@pytest.mark.parametrize("answer", [(403, {}), beside("tickets", None)])
async def test_a_road_that_closes_says_so(fake: Fake, zendesk: Zendesk, answer: tuple[int, Any]) -> None:
    fake.give(*answer)
    with pytest.raises(RoadClosed):
        await zendesk.slas.read(SlaRoad.SIDELOAD, ["7"])


async def test_a_target_that_says_nothing_is_not_gone(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(200, {"policy_metrics": [{"stage": "active"}, ACTIVE]})
    fake.give(
        200, {"policy_metrics": [ACTIVE, {"metric": "resolution_time", "stage": "active", "breach_at": 17}]}
    )
    fake.give(200, {})
    (only,) = (await zendesk.slas.read(SlaRoad.TICKET, ["7"]))["7"]  # what has no name is no target
    assert only.metric == "first_reply_time"
    with pytest.raises(Unreadable, match="breach_at"):
        (await zendesk.slas.read(SlaRoad.TICKET, ["7"])).get("7")
    with pytest.raises(Retryable, match="without its targets"):
        await zendesk.slas.read(SlaRoad.TICKET, ["7"])


@pytest.mark.parametrize("witness", [TARGETS, None])
async def test_one_silent_ticket_closes_no_road(fake: Fake, zendesk: Zendesk, witness: Any) -> None:
    fake.give(*beside("tickets"))
    assert set(await zendesk.slas.read(SlaRoad.SIDELOAD, ["7"])) == {"7"}
    fake.give(200, {"tickets": [{"id": 8, "status": "open"}]})
    fake.give(*beside("tickets", witness))
    if witness:
        assert await zendesk.slas.read(SlaRoad.SIDELOAD, ["8"]) == {}
    else:
        with pytest.raises(RoadClosed):
            await zendesk.slas.read(SlaRoad.SIDELOAD, ["8"])
    assert fake.query(-1)["ids"] == ["7"]


SCHEDULE = {"id": 5, "name": "Office", "time_zone": "Eastern Time (US & Canada)"}
HOLIDAY = {"id": 1, "name": "Christmas", "start_date": "2026-12-24", "end_date": "2026-12-26"}


async def test_hours_and_holidays_are_the_accounts(fake: Fake, zendesk: Zendesk) -> None:
    intervals = [
        {"start_time": 1980, "end_time": 2460},
        {"start_time": 9, "end_time": 3},
        {"start_time": None},
    ]
    fake.give(200, {"schedules": [SCHEDULE | {"intervals": intervals}]})
    fake.give(200, {"holidays": [HOLIDAY, {"start_date": "soon"}]})
    (schedule,) = await zendesk.schedules.all()
    hours = await zendesk.schedules.hours(schedule)
    assert hours.intervals == ((1980, 2460),)
    assert hours.holidays == {date(2026, 12, day) for day in (24, 25, 26)}
    monday = datetime(2026, 11, 30, 14, tzinfo=UTC)  # 09:00 in New York
    assert hours.after(monday, timedelta(hours=1)) == monday + timedelta(hours=1)


@pytest.mark.parametrize("status", [403, 404])
async def test_holidays_that_are_not_shown_are_none(fake: Fake, zendesk: Zendesk, status: int) -> None:
    fake.give(200, {"schedules": [SCHEDULE | {"intervals": [{"start_time": 1980, "end_time": 2460}]}]})
    fake.give(status, {})
    (schedule,) = await zendesk.schedules.all()
    assert (await zendesk.schedules.hours(schedule)).intervals == ((1980, 2460),)


async def test_a_time_zone_that_nobody_knows_names_the_remedy(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(200, {"schedules": [SCHEDULE | {"time_zone": "Moon"}]})
    fake.give(200, {"holidays": []})
    (schedule,) = await zendesk.schedules.all()
    with pytest.raises(Permanent, match="in the rules instead"):
        await zendesk.schedules.hours(schedule)


@pytest.mark.parametrize("status", [403, 404])
async def test_plans_without_schedules_have_none(fake: Fake, zendesk: Zendesk, status: int) -> None:
    fake.give(status, {})
    assert await zendesk.schedules.all() == []


async def test_half_an_answer_is_no_account_without_hours(fake: Fake, zendesk: Zendesk) -> None:
    fake.give(200, {})
    with pytest.raises(Retryable, match="schedules"):
        await zendesk.schedules.all()
    fake.give(200, {"schedules": [SCHEDULE]})
    fake.give(200, {})
    (schedule,) = await zendesk.schedules.all()
    with pytest.raises(Retryable, match="holidays"):
        await zendesk.schedules.hours(schedule)


def test_every_name_is_a_time_zone() -> None:
    assert [name for name in IANA if zone_of(name) is None] == []
    assert zone_of("Europe/Berlin") is zone_of("Europe/Berlin")
    assert [zone_of(name) for name in ("", "../etc/passwd", "Moon")] == [None, None, None]
