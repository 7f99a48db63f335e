"""What is confidential: shown in closed channels alone, and taken back, once, when that is over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.destinations import REDACTIONS
from notifier.feeds.redaction import AudienceWatch
from notifier.policy.conditions import NameRule
from notifier.policy.routing import FeedRule
from tests.integration.notifier.app import RULES, Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, created, made_private, moved, said
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside, shown

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
MANAGERS, OPERATORS = "C0MANAGERS", "C0OPERATORS"
MARKED = FeedRule(name="managers", channel=MANAGERS, private_comments=True, secret_forms=True)
CLOSED = RULES.model_copy(update={"feeds": (*RULES.feeds, MARKED), "operators_channel": OPERATORS})


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def note_in(outside: Outside, service: Service, now: datetime) -> dict[str, Any]:
    """A private comment, told to the service; the ticket."""
    ticket = outside.create(form="Self-Managed")
    number = outside.comment(str(ticket["id"]), "Internal only.", public=False)
    await service.after(commented(ticket, said(number, is_public=False), now))
    return ticket


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"private": False}, "the channel is public"),
        ({"private": True, "ext_shared": True}, "people of another company"),
        ({"private": True, "member": False}, "its audience cannot be read"),
    ],
)
async def test_a_marked_channel_that_is_open_sees_nothing_and_operators_hear_it_once(
    open_service: OpenService, outside: Outside, now: datetime, flags: dict[str, bool], why: str
) -> None:
    outside.make_channel(MANAGERS, **flags)
    service = await open_service(CLOSED)
    await note_in(outside, service, now)
    await note_in(outside, service, now)
    (alert,) = outside.posts()
    assert alert["channel"] == OPERATORS
    assert why in alert["text"]


async def test_a_secret_form_is_shown_where_it_is_marked_and_nowhere_else(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    outside.make_channel(MANAGERS, private=True)
    service = await open_service(CLOSED)
    ticket = outside.create(form="Security Issue", subject="A hole")
    await service.after(created(ticket, now))
    (post,) = outside.posts()
    assert (post["channel"], "A hole" in shown(post)) == (MANAGERS, True)


async def test_a_channel_that_opens_loses_what_was_confidential_once(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    outside.make_channel(MANAGERS, private=True)
    service = await open_service(CLOSED)
    await note_in(outside, service, now)
    watch = AudienceWatch(service.context)
    await watch.look()
    assert outside.updates() == []
    outside.make_channel(MANAGERS, ext_shared=True)
    async with service.delivering():
        await watch.look()
        await service.settled()
        await watch.look()
        settled = await service.settled()
    (update,) = outside.updates()
    assert "Internal" not in shown(update)
    assert outcomes(settled, REDACTIONS) == ["done"]
    assert [post["channel"] for post in outside.posts()] == [MANAGERS, OPERATORS]


async def test_a_name_that_another_channel_has_by_now_gets_nothing_confidential(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    """The rules name the channel; it was made private and renamed, and its name was given to an open one."""
    outside.make_channel("C0HUSH01", name="hush")
    marked = MARKED.model_copy(update={"channel": "hush", "forms": NameRule(include=("Self-Managed",))})
    service = await open_service(RULES.model_copy(update={"feeds": (marked,)}))
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, now))
    outside.make_channel("C0HUSH01", name="hush-old", private=True)
    outside.make_channel("C0OPEN01", name="hush")
    number = outside.comment(str(ticket["id"]), "Internal only.", public=False)
    await service.after(commented(ticket, said(number, is_public=False), now))
    assert [post["channel"] for post in outside.posts()] == ["C0HUSH01", "C0HUSH01"]
    assert "Internal only." in shown(outside.posts()[1])


@pytest.mark.parametrize("first", [True, False])
async def test_a_comment_that_turns_private_is_taken_back_also_when_it_is_forgotten(
    service: Service, outside: Outside, now: datetime, first: bool
) -> None:
    ticket = outside.create(form="Self-Managed", description="The password is hunter2.")
    if first:
        await service.after(created(ticket, now))
        number = outside.comments(str(ticket["id"]))[0]
    else:
        number = outside.comment(str(ticket["id"]), "The key is hunter2.")
        await service.after(commented(ticket, said(number, "The key is hunter2."), now))
    assert "hunter2" in shown(outside.posts()[0])
    await service.forget(str(ticket["id"]))
    outside.make_private(str(ticket["id"]), number)
    settled = await service.after(made_private(ticket, number, now))
    assert outcomes(settled, REDACTIONS) == ["done"], settled
    (update,) = outside.updates()
    assert "hunter2" not in shown(update)
    await service.after(made_private(ticket, number, datetime.now(UTC)))
    assert len(outside.updates()) == 1


async def test_a_ticket_whose_form_becomes_secret_is_taken_back_and_a_wrong_hint_changes_nothing(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", subject="A hole")
    await service.after(created(ticket, now))
    secret = str(outside.create(form="Security Issue")["ticket_form_id"])
    settled = await service.after(moved(ticket, secret, now))
    assert outcomes(settled, REDACTIONS) == ["moot"]  # Zendesk shows another form
    outside.change(str(ticket["id"]), form="Security Issue")
    await service.after(moved(ticket, secret, datetime.now(UTC)))
    assert "A hole" not in shown(outside.updates()[-1])
    count = len(outside.updates())
    await service.after(moved(ticket, secret, datetime.now(UTC)))
    assert len(outside.updates()) == count


async def test_what_cannot_be_posted_goes_to_the_fallback_with_one_alert(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    update = {"operators_channel": OPERATORS, "fallback_channel": "C0FALLBACK"}
    service = await open_service(RULES.model_copy(update=update))
    outside.archive(SELF_MANAGED)
    for _ in range(2):
        await service.after(created(outside.create(form="Self-Managed", subject="Help"), now))
    posts = outside.posts()
    told = [post for post in posts if post["channel"] == "C0FALLBACK"]
    assert [f"(for {SELF_MANAGED}, which takes no posts: is_archived)" in post["text"] for post in told] == [
        True,
        True,
    ]
    assert "Help" in told[0]["text"]
    assert len([post for post in posts if post["channel"] == OPERATORS]) == 1
