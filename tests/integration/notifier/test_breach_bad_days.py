"""Breach notices on bad days: lost answers, kills, lost hints, vendors away. A notice repeats rather than is lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from notifier import tables
from notifier.breaches.watch import poll
from notifier.destinations import BREACH_NOTICES
from tests.integration.notifier.breaches import CHANNEL, METRIC, new_ticket, policy, rule, soon, target
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import commented, created, said
from tests.integration.notifier.sandbox import Outside, shown
from tests.support.eventually import eventually


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "code": "internal_error", "after_commit": True},
        {"kind": "drop", "after_commit": True},
        {"kind": "error", "status": 502, "after_commit": True},
    ],
    ids=["internal_error", "no answer", "502"],
)
async def test_a_lost_answer_doubles_nothing(
    open_breaches: OpenBreaches, outside: Outside, now: datetime, fault: dict[str, Any]
) -> None:
    service = await open_breaches(policy())
    outside.arm(count=1, **fault)
    settled = await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    (notice,) = (row for key, row in settled.items() if key.startswith(BREACH_NOTICES))
    assert (notice["state"], notice["attempts"]) == ("done", 2)
    assert len(outside.posts(CHANNEL)) == 1
    assert await service.states() == {f"{METRIC} 1h": ("posted", None)}


async def test_a_history_that_is_too_busy_is_asked_again_and_not_guessed(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    outside.arm("drop", after_commit=True, count=1)
    outside.arm("rate_limit", path="conversations.history", retry_after=1, count=2)
    await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    assert outside.all_faults_happened()
    assert len(outside.posts(CHANNEL)) == 1


async def test_a_storm_of_429_delays_and_neither_doubles_nor_loses(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    """In the order in which they were due, and none has used up an attempt."""
    service = await open_breaches(policy(channel_pace=None))
    outside.arm("rate_limit", retry_after=1, count=4)
    ends = [soon(minutes=minutes) for minutes in (30, 20, 40)]
    tickets = [new_ticket(outside, target(at)) for at in ends]
    settled = await service.after(*(created(each, now) for each in tickets), ahead=True)
    assert outside.all_faults_happened()
    by_due = [str(each["id"]) for _, each in sorted(zip(ends, tickets, strict=True), key=lambda of: of[0])]
    assert [str(post["payload"]["ticket_id"]) for post in outside.posts(CHANNEL)] == by_due
    rows = [row for key, row in settled.items() if key.startswith(BREACH_NOTICES)]
    assert {row["state"] for row in rows} == {"done"}


async def test_where_the_history_cannot_be_read_a_notice_repeats(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    outside.leave(CHANNEL)
    outside.arm("drop", after_commit=True, count=1)
    await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    assert len(outside.posts(CHANNEL)) == 2


async def test_zendesk_away_at_the_due_moment_the_last_reading_decides_and_the_message_says_so(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(fresh_for="0s", patience="300ms"))
    ticket = new_ticket(outside, target(soon(hours=1, seconds=4)))
    async with service.delivering():
        await service.hears(created(ticket, now))

        async def armed() -> bool:
            return bool(await service.rows())

        await eventually(armed)
        outside.arm("hang", path="policy_metrics", service="zendesk", delay=1)  # longer than our patience
        outside.arm("hang", path="show_many", service="zendesk", delay=1)

        async def posted() -> list[dict[str, Any]]:
            return outside.posts(CHANNEL)

        (post,) = await eventually(posted, within=15)
        outside.disarm()
    assert "not read afresh: Zendesk did not answer" in shown(post)


async def test_a_lost_hint_costs_a_poll_and_not_the_notice(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(poll_every="1s"))
    ticket = new_ticket(outside, target(soon(days=9)))
    await service.after(created(ticket, now), ahead=True)
    outside.set_sla(str(ticket["id"]), target(soon(minutes=30)))  # and nobody tells us
    async with service.store.transaction() as tx:
        await tx.execute(update(tables.breach_tickets).values(read_at=now - timedelta(minutes=2)))
    async with service.delivering():
        await poll(service.context).run_if_due()
        await service.settled(ahead=True)
    assert sorted((await service.states()).values()) == [("posted", None)]
    assert sorted(row["state"] for row in await service.rows()) == ["cancelled", "posted"]


async def test_what_was_decided_against_is_kept_with_rule_and_version(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(fresh_for="0s"))
    ticket = new_ticket(outside, target(soon(hours=1, seconds=5)))
    async with service.delivering():
        await service.hears(created(ticket, now))

        async def armed() -> bool:
            return bool(await service.rows())

        await eventually(armed)
        outside.change(str(ticket["id"]), status="pending")  # no hint

        async def decided() -> bool:
            (row,) = await service.rows()
            return row["state"] in (
                "no",
                "cancelled",
            )  # by its own question, or by a reading of the same moment

        await eventually(decided, within=15)
    (row,) = await service.rows()
    assert "the ticket is pending" in row["reason"]
    assert row["rules_version"] == service.context.version
    assert outside.posts(CHANNEL) == []


async def test_two_replicas_post_once(open_breaches: OpenBreaches, outside: Outside, now: datetime) -> None:
    first, second = await open_breaches(policy()), await open_breaches(policy())
    tickets = [new_ticket(outside, target(soon(minutes=30))) for _ in range(3)]
    async with first.delivering(), second.delivering():
        await first.hears(*(created(each, now) for each in tickets))
        await second.hears(*(commented(each, said("1"), now) for each in tickets))
        await first.settled(ahead=True)
    assert len(outside.posts(CHANNEL)) == 3


async def test_a_rule_that_is_gone_from_the_file_posts_nothing(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    await service.after(created(new_ticket(outside, target(soon(hours=3))), now), ahead=True)
    changed = await open_breaches(policy(rule(name="another", tags={"any": ["starter"]})))
    async with changed.store.transaction() as tx:
        await tx.execute(update(tables.engine.deliveries).values(due_at=now, next_attempt_at=now))
        await tx.execute(update(tables.engine.lanes).values(claimable_at=now))
    async with changed.delivering():
        await changed.settled()
    assert outside.posts(CHANNEL) == []
    ((_, reason),) = (await changed.states()).values()
    assert reason is not None
    assert "another: its tags are not those of the rule" in reason
