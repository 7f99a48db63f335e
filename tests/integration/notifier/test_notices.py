"""Notices that are no feed lines, from the event to what people read in Slack."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.destinations import NOTICES, POSTS, TAGS
from notifier.notices.payloads import SUCCESS, Notice
from notifier.operations.explain import explain_ticket
from notifier.policy.notices import NoticesPolicy
from notifier.posting.silences import Silence, add
from supportops.contracts import FeedbackReceived, RecordWritten, TicketMerged
from tests.integration.notifier.app import RULES, Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import base_of, created
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside, shown
from tests.support.eventually import eventually

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def with_notices(open_service: OpenService, **rules: Any) -> Service:
    notices = NoticesPolicy.model_validate(rules)
    return await open_service(RULES.model_copy(update={"notices": notices}))


async def test_threads_of_merged_tickets_point_to_each_other_once(
    service: Service, outside: Outside, now: datetime
) -> None:
    source, target = (outside.create(form="Self-Managed") for _ in range(2))
    await service.after(created(source, now), created(target, now))
    roots = {post["payload"]["ticket_id"]: post["ts"] for post in outside.posts(SELF_MANAGED)}
    event = TicketMerged(**base_of(source, now), target_ticket_id=str(target["id"]))
    await service.after(event)
    await service.after(event)
    notes = {post["thread_ts"]: post["text"] for post in outside.posts()[2:]}
    assert set(notes) == set(roots.values())
    assert "was merged into" in notes[roots[source["id"]]]
    assert f"/p{roots[target['id']].replace('.', '')}|its thread" in notes[roots[source["id"]]]
    assert "has taken in" in notes[roots[target["id"]]]


@pytest.mark.parametrize(
    ("email", "people", "channel"),
    [
        ("TAM@support.example", {}, "D0TAM"),
        ("else@acme.example", {"else@acme.example": "U0ADA"}, "D0ADA"),
        ("nobody@acme.example", {}, "C0TAMS"),
    ],
)
async def test_the_account_manager_hears_of_a_new_record(  # fixtures and a table's columns
    open_service: OpenService,
    outside: Outside,
    now: datetime,
    email: str,
    people: dict[str, str],
    channel: str,
) -> None:
    rule = {"enabled": True, "channel": "C0TAMS"}
    service = await with_notices(open_service, account_manager=rule, people=people)
    ticket = outside.create(form="Self-Managed", subject="Down <!here>")
    facts = {"ticket_id": str(ticket["id"]), "record_id": "a00", "created": True, "version": "1"}
    envelope = {"id": "e1", "source": "/salesforce", "time": now, "subject": str(ticket["id"])}
    event = RecordWritten.model_validate(
        envelope
        | facts
        | {"technical_account_manager": {"email": email}, "account": {"id": "1", "name": "Acme"}}
    )
    await service.after(event)
    (post,) = outside.posts()
    assert (post["channel"], post["mentions"]) == (channel, [])
    assert post["text"].startswith("New ticket of Acme: ")


async def test_a_bad_rating_goes_to_its_channel_and_a_secret_ticket_to_none(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    service = await with_notices(open_service, ratings={"channel": "C0RATINGS", "to": "manager"})
    for form in ("Self-Managed", "Security Issue"):
        number = str(outside.create(form=form)["id"])
        facts = {
            "ticket_id": number,
            "rating_id": "r1",
            "score": "bad",
            "rated_at": now,
            "source_kind": "hosted",
        }
        envelope = {"id": f"e{number}", "source": "/csat", "time": now, "subject": number}
        words = {"comment": "Slow. <!channel>", "reason": "My issue was not resolved"}
        await service.after(FeedbackReceived.model_validate(envelope | facts | words))
    (post,) = outside.posts()
    assert "Slow. <!channel>" in shown(post)
    assert post["mentions"] == []


async def test_customer_success_is_told_and_the_ticket_is_tagged(
    open_service: OpenService, outside: Outside
) -> None:
    rule = {"channel": "C0SUCCESS", "open_after": "0s", "quiet_for": "0s", "plans": {"exclude": ["Gold"]}}
    service = await with_notices(open_service, success=rule)
    fields = {"support_level": "Premium", "technical_account_manager": "Tam Manager"}
    for number, values in enumerate(
        (fields, fields | {"support_level": "Gold"}, {"support_level": "Premium"})
    ):
        home = outside.organization(f"Acme {number}", organization_fields=values)
        ticket = outside.create(form="Self-Managed", organization_id=home, priority="high")
        notice = Notice(SUCCESS, str(ticket["id"]), {"arm": "created"})
        await service.schedule(NOTICES, f"success:{ticket['id']}", notice)
    async with service.delivering():
        settled = await service.settled()
    (post,) = outside.posts()
    assert post["text"].startswith("A ticket from Acme 0 has been open for more than 0 hours")
    assert "Tam Manager" in str(post["attachments"])
    assert sorted(outcomes(settled, NOTICES)) == ["done", "moot", "moot"]
    assert outcomes(settled, TAGS) == ["done"]
    assert "customer_success_slack_message" in outside.ticket(str(post["payload"]["ticket_id"]))["tags"]


async def test_a_silenced_notice_comes_when_the_silence_ends_and_is_told_of_by_explain(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    service = await with_notices(open_service, ratings={"channel": "C0RATINGS"})
    number = str(outside.create(form="Self-Managed")["id"])
    async with service.store.transaction() as tx:
        await add(tx, Silence("s1", "rule", "rating", "drill", "ada", tx.now, tx.now + timedelta(hours=1)))
    facts = {"ticket_id": number, "rating_id": "r1", "score": "bad", "rated_at": now, "source_kind": "hosted"}
    async with service.delivering():
        await service.hears(
            FeedbackReceived.model_validate(
                {"id": "e1", "source": "/csat", "time": now, "subject": number} | facts
            )
        )
        key = str(await eventually(lambda: held_key(service), within=20, about="the notice being held back"))
        assert outside.posts() == []
        async with service.store.reading() as conn:
            told = await explain_ticket(conn, number, now, False)
        assert f"call {POSTS} {key}" in told.standing
        assert "silenced (drill)" in str(told.document)
    assert key.startswith(f"C0RATINGS:rating:{number}:held:")


async def held_key(service: Service) -> str | None:
    """The key of the one call that waits for later."""
    waiting = [key for key, row in (await service.deliveries()).items() if row["state"] == "waiting"]
    posts = [key.removeprefix(f"{POSTS} ") for key in waiting if ":held:" in key]
    return posts[0] if posts else None
