"""Changes as people read them: with names, once, in the ticket's thread, beside comments and merges without doubles."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.destinations import POSTS, ROUTING
from notifier.policy.kinds import KINDS
from notifier.policy.notifier import NotifierPolicy
from supportops.contracts import Change, FeedbackReceived, TicketDeleted, TicketMerged, TicketUpdated
from tests.integration.notifier.app import Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import base_of, commented, created, said, solved
from tests.integration.notifier.sandbox import ADA, SELF_MANAGED, Outside, shown

EVERYTHING = {"name": "everything", "channel": SELF_MANAGED, "kinds": list(KINDS)}


@pytest.fixture
async def service(open_service: OpenService) -> Service:
    """One feed that hears of everything."""
    rules = {"feeds": [EVERYTHING], "fold_window": "100ms", "channel_pace": "50ms"}
    return await open_service(NotifierPolicy.model_validate(rules))


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_a_change_is_told_with_names_in_the_tickets_thread(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    await service.after(created(ticket, now))
    change = Change(field="assignee_id", before=None, after=ADA)
    base = base_of(ticket, now + timedelta(seconds=20))
    event = TicketUpdated(**base, zendesk_type="agent_assignment_changed", changes=[change])
    await service.after(event, event)
    first, second = outside.posts()
    assert second["thread_ts"] == first["ts"]
    assert second["text"].endswith("(Groablet Enterprises) — assigned to Ada Agent")
    assert "assigned to Ada Agent" in shown(second)


async def test_a_comment_and_what_is_done_with_it_are_one_message(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    await service.hears(solved(ticket, now), commented(ticket, said(number), now))
    async with service.delivering(ROUTING):
        await service.settled(of=ROUTING)
    async with service.delivering():
        settled = await service.settled()
    assert outcomes(settled, POSTS) == ["done", "moot"]
    (post,) = outside.posts()
    assert post["text"].endswith("— solved")
    assert "Please try again." in shown(post)


async def test_a_private_comment_leaves_the_change_that_came_with_it(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Between us.", public=False)
    await service.after(solved(ticket, now), commented(ticket, said(number, is_public=False), now))
    (post,) = outside.posts()
    assert post["text"].endswith("— solved")
    assert "Between us" not in shown(post)


async def test_a_merge_is_told_by_the_threads_where_both_tickets_have_one(
    service: Service, outside: Outside, now: datetime
) -> None:
    source, target, stranger = (outside.create(form="Self-Managed") for _ in range(3))
    await service.after(created(source, now), created(target, now))
    for ticket in (source, stranger):
        event = TicketMerged(**base_of(ticket, now), target_ticket_id=str(target["id"]))
        await service.after(event)
    told = [post["text"] for post in outside.posts()[2:]]
    assert len(told) == 3  # each of the two threads points to the other; who has no thread is told of
    assert sum("was merged into" in text or "has taken in" in text for text in told) == 2
    assert told[-1].endswith(f"— merged into #{target['id']}")


async def test_a_deleted_ticket_is_told_by_what_its_event_says(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", subject="Down")
    outside.delete(str(ticket["id"]))
    await service.after(TicketDeleted(**base_of(ticket, now)))
    (post,) = outside.posts()
    assert post["text"].endswith("Down (Groablet Enterprises) — deleted")


async def test_a_rating_is_told_by_what_csat_read_and_changed_in_place(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", subject="Down")
    number = str(ticket["id"])
    facts = {
        "source": "/csat",
        "subject": number,
        "ticket_id": number,
        "rating_id": "9",
        "source_kind": "hosted",
    }

    def rated(score: str, at: datetime, reason: str | None = None) -> FeedbackReceived:
        vote = {
            "id": f"{score}-{at.timestamp()}",
            "time": at,
            "score": score,
            "rated_at": at,
            "reason": reason,
        }
        return FeedbackReceived.model_validate(facts | vote)

    await service.after(rated("good", now), rated("good", now))
    await service.after(rated("bad", now + timedelta(seconds=5), "too <slow>"))
    (post,), (edit,) = outside.posts(), outside.updates()
    assert post["text"].endswith("Down (Groablet Enterprises) — rated good")
    assert edit["text"].endswith("— rated bad (too &lt;slow&gt;)")
