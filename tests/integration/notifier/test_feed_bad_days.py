"""Slack on its bad days: every message once, or skipped where nobody can know (docs/vendors/slack.md)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.destinations import POSTS, UPDATES
from notifier.policy.conditions import TagRule
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.posting.message_log import POSTED
from notifier.settings import SLACK_SCOPES
from supportops.contracts import TicketCreated
from supportops.delivery.outages.rows import breaker_of
from tests.integration.notifier.app import RULES, Service, outcomes
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, created, said, solved
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside
from tests.support.eventually import eventually

CARRIED = NotifierPolicy(
    feeds=(FeedRule(name="all", channel=SELF_MANAGED, lookups=False, updates="channel"),)
)

# About Slack alone, whichever database remembers it.
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])
POSTGRES = pytest.mark.parametrize("dialect", ["postgres"])


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def news(outside: Outside, now: datetime, number: int = 1) -> list[TicketCreated]:
    """Some new tickets."""
    tickets = [outside.create(form="Self-Managed", subject=f"Ticket {n}") for n in range(number)]
    return [created(ticket, now, sequence=f"1{ticket['id']}") for ticket in tickets]


def keys(posts: list[dict[str, Any]]) -> list[str]:
    return [post["payload"]["key"] for post in posts]


@pytest.mark.parametrize("bad_day", ["drop_after_commit", "hang", "error"])
async def test_after_an_unknown_outcome_the_history_says_that_it_is_there(
    service: Service, outside: Outside, now: datetime, bad_day: str
) -> None:
    if bad_day == "error":
        outside.arm("error", status=502, count=1, after_commit=True)
    elif bad_day == "hang":
        outside.arm("hang", delay=4, count=1, after_commit=True)
    else:
        outside.arm(bad_day, count=1)
    async with service.delivering():
        await service.hears(*news(outside, now))
        settled = await service.settled(within=40)
    assert len(outside.posts()) == 1
    assert outcomes(settled, POSTS) == ["done"]
    (message,) = await service.messages()
    assert (message.state, message.ts) == (POSTED, outside.posts()[0]["ts"])


@SQLITE
@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "ratelimited", "service_unavailable"])
async def test_what_was_not_posted_is_posted_once(
    service: Service, outside: Outside, now: datetime, code: str
) -> None:
    outside.arm("error", code=code, count=1, retry_after=1)
    await service.after(*news(outside, now))
    assert len(outside.posts()) == 1


async def test_the_history_of_a_thread_is_its_replies(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, now))
    number = outside.comment(str(ticket["id"]), "Please try again.")
    outside.arm("drop_after_commit", count=1)
    await service.after(commented(ticket, said(number), now))
    first, second = outside.posts()
    assert second["thread_ts"] == first["ts"]
    assert [message.ts for message in await service.messages()] == [first["ts"], second["ts"]]


async def test_a_change_that_was_missed_in_between_is_made_once_the_post_is_found(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    outside.arm("drop_after_commit", count=1)
    outside.arm("rate_limit", path="conversations.history", retry_after=3, count=1)
    async with service.delivering():
        await service.hears(commented(ticket, said(number), now))
        await eventually(outside.posts)
        await service.hears(solved(ticket, now))
        settled = await service.settled()
    assert len(outside.posts()) == 1
    assert [update["text"].split(" ")[0] for update in outside.updates()] == ["Solved"]
    assert outcomes(settled, UPDATES) == ["done", "moot"]


@SQLITE
@pytest.mark.parametrize("code", ["not_in_channel", "missing_scope"])
async def test_where_the_history_cannot_be_read_the_doubt_is_listed(
    service: Service, outside: Outside, now: datetime, code: str
) -> None:
    outside.leave(SELF_MANAGED)
    if code == "missing_scope":
        outside.arm("error", path="conversations.history", code=code)
    outside.arm("drop", count=1)
    settled = await service.after(*news(outside, now))
    assert outcomes(settled, POSTS) == ["unknown"]
    assert "history" in next(row["reason"] for key, row in settled.items() if POSTS in key)
    await service.after(*news(outside, now))
    assert len(outside.posts()) == 1  # a post that is answered needs no history


@SQLITE
async def test_an_outage_costs_a_row_in_doubt_no_attempts(
    service: Service, outside: Outside, now: datetime
) -> None:
    """The post was cut off, and then nobody can be asked about it: each question that fails is a sign of the outage."""

    async def questions_failed() -> bool:
        breaker = await breaker_of(service.store, POSTS)
        return breaker.run >= 2

    outside.arm("drop", path="*")
    async with service.delivering():
        await service.hears(*news(outside, now))
        await eventually(questions_failed, within=20)
        (row,) = [row for key, row in (await service.deliveries()).items() if POSTS in key]
        assert row["attempts"] - (row["state"] == "leased") <= 1
        outside.disarm()
        settled = await service.settled()
    assert outcomes(settled, POSTS) == ["done"]
    assert len(outside.posts()) == 1


@SQLITE
async def test_a_channel_that_is_named_is_read_by_its_id(
    service: Service, outside: Outside, now: datetime
) -> None:
    """The very first post fails and posts nothing: history takes no name, so that the id is looked up."""
    outside.arm("error", code="internal_error", count=1)
    settled = await service.after(*news(outside, now))
    assert outcomes(settled, POSTS) == ["done"]
    assert len(outside.posts()) == 1


@SQLITE
async def test_a_channel_that_cannot_be_found_leaves_a_doubt_that_is_listed(
    service: Service, outside: Outside, now: datetime
) -> None:
    outside.arm("error", code="internal_error", count=1)
    outside.arm("error", path="conversations.list", code="missing_scope")
    settled = await service.after(*news(outside, now))
    assert outcomes(settled, POSTS) == ["unknown"]
    assert outside.posts() == []


@SQLITE
async def test_a_code_that_nobody_listed_is_the_messages_own(
    service: Service, outside: Outside, now: datetime
) -> None:
    outside.arm("error", code="slack_connect_file_link_sharing_blocked", count=1)
    settled = await service.after(*news(outside, now), *news(outside, now))
    assert sorted(outcomes(settled, POSTS)) == ["done", "give_up"]
    assert len(outside.posts()) == 1


@SQLITE
async def test_the_first_message_beside_a_deleted_root_is_the_new_root(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, now))
    (root,) = outside.posts()
    outside.delete_message(SELF_MANAGED, root["ts"])
    for number in range(3):
        comment = said(outside.comment(str(ticket["id"]), f"More {number}"))
        await service.after(commented(ticket, comment, now, sequence=f"5{number}"))
    second, third, fourth = outside.posts()[1:]
    assert second["thread_ts"] is None
    assert {third["thread_ts"], fourth["thread_ts"]} == {second["ts"]}


@SQLITE
async def test_where_the_thread_is_gone_the_message_stands_in_the_channel(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, now))
    number = outside.comment(str(ticket["id"]), "Please try again.")
    outside.arm("error", code="thread_not_found", count=1)
    await service.after(commented(ticket, said(number), now))
    assert [post["thread_ts"] for post in outside.posts()] == [None, None]


async def test_a_change_during_the_post_is_made_after_it(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket = outside.create(form="Self-Managed", status="open")
    number = outside.comment(str(ticket["id"]), "Please try again.")
    # Longer than the wait of a change (1 s), shorter than our patience with Slack.
    outside.arm("slow", delay=2)
    async with service.delivering():
        await service.hears(commented(ticket, said(number), now))
        await eventually(outside.calls_refused, about="the post to be in flight")
        await service.hears(solved(ticket, now))
        await service.settled()
    assert [post["text"].split(" ")[0] for post in outside.posts()] == ["Open"]
    assert [update["text"].split(" ")[0] for update in outside.updates()] == ["Solved"]


async def test_a_closed_channel_does_not_hold_up_the_others(
    service: Service, outside: Outside, now: datetime
) -> None:
    outside.archive(SELF_MANAGED)
    other = outside.create(form="GitLab.com")
    settled = await service.after(*news(outside, now), created(other, now, sequence="4"))
    assert outcomes(settled, POSTS) == ["done", "give_up"]
    assert len(outside.posts()) == 1


@pytest.mark.parametrize("code", ["token_revoked", "missing_scope (needed: chat:write)"])
async def test_a_credential_that_is_refused_stops_all_sending_and_loses_nothing(
    service: Service, outside: Outside, now: datetime, code: str
) -> None:
    if code == "token_revoked":
        outside.arm("error", code=code, count=1)
    else:
        outside.allow(*(scope for scope in SLACK_SCOPES if scope != "chat:write"))
    async with service.delivering():
        await service.hears(*news(outside, now, 2))

        async def paused() -> list[str]:
            rows = (await service.deliveries()).items()
            waiting = [row for key, row in rows if key.startswith(f"{POSTS} ") and row["state"] == "waiting"]
            assert len(waiting) == 2
            return [row["reason"] for row in waiting if code in row.get("reason", "")]

        reasons: list[str] = await eventually(paused)
        assert reasons
    assert all(row["attempts"] == 0 for key, row in (await service.deliveries()).items() if POSTS in key)
    assert outside.posts() == []


@POSTGRES
async def test_a_storm_of_429_delays_and_loses_nothing(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    seconds = 4  # twice what Slack asks for, so that it has to be waited for again
    service = await open_service(CARRIED)
    outside.limit(per_second=None, burst=3)
    outside.arm("rate_limit", seconds=seconds, retry_after=2)
    events = news(outside, now, 4)
    began = datetime.now(UTC)
    async with service.delivering():
        await service.hears(*events)
        settled = await service.settled(within=40)
    assert datetime.now(UTC) - began > timedelta(seconds=seconds - 1)
    assert outcomes(settled, POSTS) == ["done"] * 4
    assert len(set(keys(outside.posts()))) == len(outside.posts()) == 4
    assert all(row["attempts"] == 1 for row in settled.values())  # waiting is no failure


async def test_replicas_share_the_pace_of_a_channel(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    replicas = [await open_service(CARRIED), await open_service(CARRIED)]
    outside.limit(per_second=None, burst=3)
    begun = datetime.now(UTC)
    async with replicas[0].delivering(), replicas[1].delivering():
        await asyncio.gather(
            *(replica.hears(event) for replica in replicas for event in news(outside, now, 2))
        )
        await replicas[0].settled(within=20)
    moments = sorted(datetime.fromisoformat(post["at"]) for post in outside.posts())
    assert len(moments) == 4
    for place, moment in enumerate(moments):  # a busy machine may be late with one, never early
        assert (moment - begun).total_seconds() > 0.95 * place


async def test_a_feed_without_lookups_reads_nothing_from_zendesk(
    open_service: OpenService, outside: Outside, now: datetime
) -> None:
    tags = TagRule(any=("channel_7",))
    service = await open_service(
        CARRIED.model_copy(
            update={"feeds": (FeedRule(name="seven", channel="C0SEVEN", lookups=False, tags=tags),)}
        )
    )
    outside.arm("error", path="*", service="zendesk", status=500)
    ticket = outside.create(subject="Help") | {"ticket_form_id": None}
    reply = commented(ticket, said("5", "Try this."), now, tags=["channel_7"])
    settled = await service.after(reply, created(ticket, now, tags=["channel_8"]))
    (post,) = outside.posts()
    assert list(settled) == [f"{POSTS} C0SEVEN:{ticket['id']}:5"]
    assert "Open ticket" in post["text"] or "New ticket" in post["text"]
    assert "Try this." in str(post["attachments"])
    assert outside.calls_refused() == 0


@SQLITE
async def test_zendesk_away_delays_and_loses_nothing(
    service: Service, outside: Outside, now: datetime
) -> None:
    outside.arm("error", path="*", service="zendesk", status=503, count=2)
    await service.after(*news(outside, now))
    assert len(outside.posts()) == 1
    assert RULES.feeds[0].lookups
