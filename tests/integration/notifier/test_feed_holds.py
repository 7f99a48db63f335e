"""Many lines in one message: a burst, a silence, quiet hours. Nothing is lost, what is moot is not shown."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.destinations import POSTS
from notifier.posting.burst import release
from notifier.posting.silences import Silence, add, end
from supportops.config.quiet_hours import QuietHours
from supportops.contracts import TicketEvent
from tests.integration.notifier.app import RULES, Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, created, said
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside, shown
from tests.support.eventually import eventually

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
SHORT = timedelta(seconds=1)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def learn_forms(service: Service, ticket: dict[str, Any]) -> None:
    """As after the first look-up: lines are then posted by what events tell."""
    number = str(ticket["ticket_form_id"])
    service.context.scheduler.forms.learn(number, "Self-Managed", service.store.clock.now())


async def test_a_burst_becomes_one_message_that_counts_what_it_stands_for(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    pace = {"channel_pace": timedelta(seconds=6), "burst_window": SHORT}  # ten a minute
    service = await open_service(RULES.model_copy(update=pace))
    tickets = [outside.create(form="Self-Managed", subject=f"No {number}") for number in range(6)]
    hidden = outside.create(form="Self-Managed", subject="Secret by then")
    learn_forms(service, tickets[0])
    events: list[TicketEvent] = [created(ticket, now) for ticket in (*tickets, hidden)]
    events += [commented(ticket, said(outside.comment(str(ticket["id"]), "Hi")), now) for ticket in tickets]
    outside.change(str(hidden["id"]), form="Security Issue")
    settled = await service.after(*events)
    (post,) = outside.posts()
    assert post["text"].startswith("13 updates of 7 tickets in one message")
    assert f"|#{tickets[0]['id']}> ×2 (" in shown(post)  # noqa: RUF001
    assert str(hidden["id"]) not in shown(post)
    assert "1 ticket not shown here any more" in shown(post)
    kinds = outcomes(settled, POSTS)
    assert (kinds.count("cancelled"), kinds.count("done")) == (12, 2)
    assert all(
        row["reason"].startswith(f"in the summary {SELF_MANAGED}:summary:")
        for row in settled.values()
        if row["kind"] == "cancelled"
    )


@pytest.mark.parametrize("about", ["rule", "ticket", "organization"])
async def test_a_silence_holds_lines_back_and_they_are_decided_anew_at_its_end(
    service: Service, outside: Outside, now: datetime, about: str
) -> None:
    ticket, gone = (outside.create(form="Self-Managed") for _ in range(2))
    other = outside.create(form="GitLab.com", organization_id=outside.organization("Elsewhere"))
    values = {
        "rule": "self-managed",
        "ticket": str(ticket["id"]),
        "organization": str(ticket["organization_id"]),
    }
    async with service.store.transaction() as tx:
        await add(tx, Silence("s1", about, values[about], "upgrade", "ada", tx.now, tx.now + 3600 * SHORT))  # type: ignore[arg-type]
    events = [created(ticket, now), created(gone, now), created(other, now)]
    async with service.delivering():
        await service.hears(*events)
        await eventually(lambda: held_back(service), within=20, about="the line being held back")
        outside.delete(str(gone["id"]))
        assert "silenced" not in str(outside.posts())
        async with service.store.transaction() as tx:
            assert (await end(tx, "s1"), await release(tx, "s1"), await end(tx, "s1")) == (True, 1, False)
        await service.settled()
    (held,) = [post for post in outside.posts(SELF_MANAGED) if "silenced until now (upgrade)" in post["text"]]
    assert str(ticket["id"]) in shown(held)
    assert f"#{gone['id']}" not in shown(held)


async def held_back(service: Service) -> bool:
    """Every line is posted, or in what is held."""
    rows = await service.deliveries()
    waiting = {key for key, row in rows.items() if row["state"] in ("waiting", "leased")}
    return len(waiting) == 1 and ":held:s1:" in waiting.pop()


async def test_quiet_hours_are_one_message_at_their_end(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    tickets = [outside.create(form="Self-Managed") for _ in range(3)]
    ends = datetime.now(UTC) + 5 * SHORT  # what was made until here may have taken its time
    hours = QuietHours(starts=(now - timedelta(hours=2)).time(), ends=ends.time(), time_zone="UTC")
    feeds = tuple(feed.model_copy(update={"quiet_hours": hours}) for feed in RULES.feeds)
    service = await open_service(RULES.model_copy(update={"feeds": feeds}))
    learn_forms(service, tickets[0])
    async with asyncio.timeout(30), service.delivering():
        await service.hears(*(created(ticket, now) for ticket in tickets))
        await service.settled()
    (post,) = outside.posts()
    assert post["text"].startswith("3 updates of 3 tickets in one message: what came in quiet hours")
