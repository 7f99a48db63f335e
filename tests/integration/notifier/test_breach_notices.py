"""From events and readings to notices in Slack, on a good day (docs/rules.md N1, N2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier import tables
from notifier.destinations import BREACH_NOTICES, SLA_READINGS
from tests.integration.notifier.breaches import CHANNEL, METRIC, new_ticket, policy, rule, soon, target
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import commented, created, said, solved
from tests.integration.notifier.sandbox import Outside, shown
from tests.support.eventually import eventually, patience


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.both_databases
async def test_a_notice_comes_at_its_second_is_edited_and_the_ticket_is_tagged_for_people(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(rule("1h", tag="slah-2hr-breach-notification", mention=["here"])))
    breach_at = soon(hours=1, seconds=3)
    ticket = new_ticket(outside, target(breach_at), subject="Runner <fails> & stops")
    number = str(ticket["id"])
    async with service.delivering():
        await service.hears(created(ticket, now))

        async def posted() -> dict[str, object]:
            posts = outside.posts(CHANNEL)
            assert len(posts) == 1
            return posts[0]

        post = await eventually(posted, within=10)
        late = float(str(post["ts"])) - (breach_at - timedelta(hours=1)).timestamp()
        assert 0 <= late < patience(1)

        async def recorded() -> dict[str, Any]:
            (row,) = await service.rows()
            assert row["state"] == "posted"
            return row

        notice = await eventually(recorded, within=10)
        assert notice["late_ms"] < patience(1_000)
        assert str(post["text"]).startswith("<!here> First reply time breaches <!date^")
        assert "Runner &lt;fails&gt; &amp; stops" in str(post["text"])
        assert post["mentions"] == ["!here"]
        assert post["payload"] == {"key": notice["key"], "ticket_id": ticket["id"]}

        async def tagged() -> bool:
            return "slah-2hr-breach-notification" in outside.ticket(number)["tags"]

        await eventually(tagged, within=10)
        outside.comment(number, "Have you tried this?", **{"as": "agent"})
        outside.set_sla(number, target(breach_at, "achieved"))
        reply = said("77")
        await service.hears(commented(ticket, reply, datetime.now(UTC)))

        async def answered() -> bool:
            assert any("Answered in time" in shown(edited) for edited in outside.updates())
            return "slah-2hr-breach-notification" not in outside.ticket(number)["tags"]

        await eventually(answered, within=10)
    (told,) = await service.rows(tables.breach_targets)
    assert told["state"] == "answered"
    assert len(outside.posts(CHANNEL)) == 1


async def test_found_late_it_comes_at_once_and_found_breached_that_comes_once(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(rule("2h", "30m")))
    late = new_ticket(outside, target(soon(minutes=90)))
    breached = new_ticket(outside, target(soon(minutes=-5)), target(soon(days=-9), "achieved", "other"))
    await service.after(created(late, now), created(breached, now), ahead=True)
    await service.after(commented(breached, said("1", is_public=False), now), ahead=True)
    texts = sorted(post["text"].split("<!date")[0] for post in outside.posts(CHANNEL))
    assert texts == ["First reply time breaches ", "First reply time was due "]
    assert {
        row["step"]: row["state"] for row in await service.rows() if row["ticket_id"] == str(breached["id"])
    } == {
        "2h": "superseded",
        "30m": "superseded",
        "breached": "posted",
    }


async def test_moved_paused_and_solved_targets_are_armed_anew_or_called_off(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    first, second = soon(hours=3), soon(hours=5)
    ticket = new_ticket(outside, target(first))
    number = str(ticket["id"])
    await service.after(created(ticket, now), ahead=True)
    outside.set_sla(number, target(second))
    await service.after(commented(ticket, said("1"), now, sequence="3"), ahead=True)
    rows = {row["breach_at"]: (row["state"], row["reason"]) for row in await service.rows()}
    assert rows == {
        first: ("cancelled", f"the target moved to {second:%Y-%m-%d %H:%M} UTC"),
        second: ("planned", None),
    }
    outside.set_sla(number, target(second, "paused"))
    settled = await service.after(solved(ticket, now), ahead=True)
    assert (await service.rows())[-1]["reason"] == "the target is paused"
    waiting = [
        key for key, row in settled.items() if key.startswith(BREACH_NOTICES) and row["state"] == "waiting"
    ]
    assert waiting == []
    outside.set_sla(number, target(second))
    await service.after(commented(ticket, said("2"), now, sequence="4"), ahead=True)
    assert [row["state"] for row in await service.rows()] == ["cancelled", "planned"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"form": "Security Issue"}, "tickets with the form Security Issue are shown nowhere"),
        ({"form": "GitLab.com"}, "its form (GitLab.com) is not the rule's"),
    ],
)
async def test_nobody_hears_of_tickets_that_no_rule_concerns(
    open_breaches: OpenBreaches, outside: Outside, now: datetime, values: dict[str, object], why: str
) -> None:
    service = await open_breaches(policy(rule(forms={"exclude": ["GitLab.com"]})))
    ticket = new_ticket(outside, target(soon(minutes=5)), **values)
    (reading,) = (await service.after(created(ticket, now), ahead=True)).values()
    assert why in reading["reason"]
    assert outside.posts(CHANNEL) == []
    assert await service.rows() == []


async def test_a_ticket_whose_event_tells_enough_is_not_even_read(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    await service.hears(created(new_ticket(outside, tags=["starter"]), now))
    assert await service.deliveries() == {}


@pytest.mark.parametrize("road", ["policy_metrics", "sideload", "search"])
async def test_any_road_of_the_account_will_do_and_is_remembered(
    open_breaches: OpenBreaches, outside: Outside, now: datetime, road: str
) -> None:
    outside.sla_roads(road)
    service = await open_breaches(policy())
    bare = new_ticket(outside)  # one without targets proves nothing
    await service.after(created(bare, now), ahead=True)
    assert await service.context.reader.road() is None or road == "policy_metrics"
    ticket = new_ticket(outside, target(soon(hours=3)))
    await service.after(created(ticket, now), ahead=True)
    assert await service.states() == {f"{METRIC} 1h": ("planned", None)}
    another = await open_breaches(policy())
    assert await another.context.reader.road() == road


async def test_without_a_road_the_readings_say_so(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    outside.sla_roads()
    service = await open_breaches(policy())
    settled = await service.after(created(new_ticket(outside, target(soon(hours=3))), now))
    (reading,) = (row for key, row in settled.items() if key.startswith(SLA_READINGS))
    assert (reading["state"], "is there an SLA policy" in reading["reason"]) == ("dead", True)
