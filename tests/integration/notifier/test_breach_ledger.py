"""What operators and the bot are told of notices: the ledger, a ticket's story, the next targets to breach."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from notifier import tables
from notifier.breaches.repository import breached, breaching
from notifier.destinations import BREACH_SUMMARIES
from notifier.operations.explain import explain_ticket
from notifier.operations.promises import count, promises, summaries
from tests.integration.notifier.breaches import METRIC, new_ticket, policy, rule, soon, target
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import Outside

DAY = timedelta(days=1)


@pytest.mark.both_databases
async def test_ledger_story_and_the_next_to_breach(open_breaches: OpenBreaches, outside: Outside) -> None:
    service = await open_breaches(policy(rule("2h", "30m")))
    now = datetime.now(UTC)
    late = new_ticket(outside, target(soon(minutes=20)), subject="First")
    later = new_ticket(outside, target(soon(hours=5)), subject="Second")
    over = new_ticket(outside, target(soon(minutes=-20)), subject="Over")
    other = new_ticket(outside, target(soon(hours=1)), form="Security Issue")
    await service.after(*(created(each, now) for each in (late, later, over, other)), ahead=True)
    at = datetime.now(UTC)
    async with service.store.reading() as conn:
        ledger = await promises(conn, at - DAY, at)
        next_ones, already = await breaching(conn, at), await breached(conn, at, 3)
        told = await explain_ticket(conn, str(late["id"]), at, False)
    account = count(ledger)
    mine = [each for each in ledger if each.ticket_id == str(late["id"])]
    assert [(each.step, each.outcome) for each in mine] == [("2h", "not sent"), ("30m", "open")]
    assert (account.posted, account.missed) == (2, 0)  # late by a second it may be, on a busy machine
    assert [(each.subject, each.metric, each.taken_by) for each in next_ones] == [
        ("First", METRIC, None),
        ("Second", METRIC, None),
    ]
    assert (already[0], [each.subject for each in already[1]]) == (1, ["Over"])
    story = repr(told)
    assert "breach notice first_reply_time 30m posted" in story
    assert "the later step 30m is due" in story
    assert service.context.version in story


async def test_the_week_is_told_once(open_breaches: OpenBreaches, outside: Outside) -> None:
    service = await open_breaches(policy(summary={"channel": "C0SUPPORTOPS"}))
    await service.after(created(new_ticket(outside, target(soon(minutes=30))), datetime.now(UTC)), ahead=True)
    assert await summaries(service.context).run_if_due()
    found = await service.deliveries()
    (due,) = [row["due_at"] for key, row in found.items() if key.startswith(BREACH_SUMMARIES)]
    now = datetime.now(UTC)
    assert timedelta() < due - now <= 7 * DAY
    async with service.store.transaction() as tx:  # the week is over
        await tx.execute(update(tables.engine.deliveries).values(due_at=now, next_attempt_at=now))
        await tx.execute(update(tables.engine.lanes).values(claimable_at=now))
    async with service.delivering():
        await service.settled()
    (post,) = outside.posts("support-ops")
    assert "1 breach notice: 0 targets answered in time" in post["text"]
