"""From ticket events to what people read in the channels (docs/rules.md N3-N5), on a good day."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.destinations import POSTS, UPDATES
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.merge import Content
from notifier.feeds.scheduling import MessagePayload
from notifier.policy.routing import FeedRule
from tests.integration.notifier.app import RULES, Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, created, made_private, moved, said, solved
from tests.integration.notifier.sandbox import GITLAB_COM, SELF_MANAGED, Outside, shown


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.both_databases
async def test_a_new_ticket_is_told_with_its_organization_and_its_first_comment(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(
        subject="Runner <fails>", description="It says <!channel> & stops", form="Self-Managed"
    )
    await service.after(created(ticket, now))
    (post,) = outside.posts()
    link = f"{outside.base_url}/zendesk/agent/tickets/{ticket['id']}"
    assert post["text"] == (
        f"New ticket updated by Rita Requester: <{link}|Ticket #{ticket['id']}>"
        " Runner &lt;fails&gt; (Groablet Enterprises)"
    )
    assert post["channel_name"] == SELF_MANAGED
    assert post["attachments"][0]["color"] == "#4AACD8"
    assert "It says <!channel> & stops" in shown(post)
    assert post["mentions"] == []
    assert post["event_type"] == "ticket_feed"
    assert post["payload"] == {"key": f"{SELF_MANAGED}:{ticket['id']}:first", "ticket_id": ticket["id"]}


CHANNELS = {
    "Self-Managed": [SELF_MANAGED],
    "GitLab.com": [GITLAB_COM],
    "GitLab.com (SAAS) Account Related Form": [GITLAB_COM],
    "Security Issue": [],
    None: [SELF_MANAGED],
}


async def test_the_form_decides_the_channel(service: Service, outside: Outside, now: datetime) -> None:
    tickets = {form: outside.create(**({"form": form} if form else {})) for form in CHANNELS}
    tickets[None]["ticket_form_id"] = None
    await service.after(*(created(ticket, now) for ticket in tickets.values()))
    posted: dict[str, list[str]] = {str(ticket["id"]): [] for ticket in tickets.values()}
    for post in outside.posts():
        posted[str(post["payload"]["ticket_id"])].append(post["channel_name"])
    assert {form: posted[str(ticket["id"])] for form, ticket in tickets.items()} == CHANNELS


async def test_reply_and_solve_is_one_message(service: Service, outside: Outside, now: datetime) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    reply = commented(ticket, said(number), now)
    async with service.delivering():
        await service.hears(reply)
        await service.settled()
        assert [post["text"].split(" ")[0] for post in outside.posts()] == ["Open"]
        await service.hears(solved(ticket, now + timedelta(milliseconds=300)))
        settled = await service.settled()
    assert outcomes(settled, UPDATES) == ["done"]
    (update,) = outside.updates()
    assert update["ts"] == outside.posts()[0]["ts"]
    assert update["text"].startswith("Solved ticket updated by Ada Agent")
    assert update["payload"] == outside.posts()[0]["payload"]


async def test_the_post_takes_what_came_before_it(service: Service, outside: Outside, now: datetime) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    await service.after(commented(ticket, said(number), now), solved(ticket, now))
    assert [post["text"].split(" ")[0] for post in outside.posts()] == ["Solved"]
    assert outside.updates() == []


async def test_duplicates_shuffles_and_other_roads_change_nothing(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    native = [created(ticket, now), commented(ticket, said(number), now + timedelta(minutes=1))]
    export = [
        created(ticket, now, sequence=None, road="export", actor_id=None),
        commented(ticket, said(number), now + timedelta(minutes=1), sequence=None, road="export"),
    ]
    async with service.delivering():
        await service.hears(*reversed(native))
        await service.hears(*export, *native)
        await service.settled()
        await service.hears(*reversed(export))
        await service.settled()
    assert len(outside.posts()) == 2
    assert len({post["payload"]["key"] for post in outside.posts()}) == 2


async def test_later_messages_of_a_ticket_go_into_its_thread(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, now))
    number = outside.comment(str(ticket["id"]), "Please try again.")
    await service.after(commented(ticket, said(number), now))
    first, second = outside.posts()
    assert (first["thread_ts"], second["thread_ts"]) == (None, first["ts"])


async def test_private_comments_are_never_told(service: Service, outside: Outside, now: datetime) -> None:
    ticket = outside.create(form="Self-Managed")
    number = outside.comment(str(ticket["id"]), "Internal only.", public=False)
    said_privately = commented(ticket, said(number, is_public=False), now)
    wrongly_public = commented(ticket, said(number, is_public=True), now)
    await service.hears(said_privately)
    assert await service.deliveries() == {}
    await service.hears(wrongly_public)
    assert await service.deliveries() == {}  # what was private once stays private
    other = outside.comment(str(ticket["id"]), "Internal too.", public=False)
    settled = await service.after(commented(ticket, said(other, is_public=True), now, sequence="3"))
    (post,) = [row for key, row in settled.items() if key.startswith(f"{POSTS} ")]
    assert (post["kind"], post["reason"]) == ("moot", "the comment is private")  # Zendesk says so now
    assert outside.posts() == []


async def test_a_channel_that_is_marked_sees_private_comments(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    outside.make_channel("C0MANAGERS", private=True)
    marked = FeedRule(name="managers", channel="C0MANAGERS", private_comments=True)
    service = await open_service(RULES.model_copy(update={"feeds": (*RULES.feeds, marked)}))
    ticket = outside.create(form="Self-Managed")
    number = outside.comment(str(ticket["id"]), "Internal only.", public=False)
    await service.after(commented(ticket, said(number, is_public=False), now))
    (post,) = outside.posts()
    assert post["channel"] == "C0MANAGERS"
    assert "Internal only." in shown(post)


async def test_a_comment_that_becomes_private_is_taken_back(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    number = outside.comment(str(ticket["id"]), "The password is hunter2.")
    await service.after(commented(ticket, said(number, "The password is hunter2."), now))
    assert "hunter2" in shown(outside.posts()[0])
    await service.after(made_private(ticket, number, now))
    (update,) = outside.updates()
    assert "hunter2" not in shown(update)


async def test_a_ticket_that_moves_to_a_secret_form_is_not_told(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    number = outside.comment(str(ticket["id"]), "It can be exploited like this.")
    secret = outside.create(form="Security Issue")["ticket_form_id"]
    service.context.scheduler.forms.learn(str(ticket["ticket_form_id"]), "Self-Managed", now)
    await service.hears(commented(ticket, said(number), now), moved(ticket, str(secret), now))
    payload = await service.context.newest(MessagePayload(str(ticket["id"]), number, 1, Content(now, {})))
    with pytest.raises(NotToBeShown, match="does not belong"):
        await service.context.rendered(payload, RULES.feeds[0])
    async with service.delivering():
        settled = await service.settled()
    assert outside.posts() == []
    assert outcomes(settled, POSTS) == ["moot"]


async def test_our_own_actions_and_old_news_are_not_told(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    await service.hears(
        created(ticket, now, own_action=True),
        commented(ticket, said("5"), now - timedelta(hours=25)),
    )
    assert await service.deliveries() == {}


async def test_a_ticket_that_is_gone_is_not_told(service: Service, outside: Outside, now: datetime) -> None:
    ticket = outside.create(form="Self-Managed")
    outside.delete(str(ticket["id"]))
    settled = await service.after(created(ticket, now))
    assert outside.posts() == []
    assert outcomes(settled, POSTS) == ["moot"]
