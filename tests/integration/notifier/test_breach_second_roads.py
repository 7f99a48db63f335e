"""Notices that Slack does not take in time go another way, in the order of the rule, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email import policy as email_policy
from email.message import EmailMessage
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from notifier import wiring
from notifier.breaches.second_roads import Outside as Roads
from notifier.breaches.second_roads import overdue_watch
from notifier.destinations import BREACH_NOTICES, SECOND_ROADS
from supportops.delivery import Destination
from supportops.vendors.mail import Mail, MailServer
from supportops.vendors.signed_webhook import open_webhook, secret_key, sign
from tests.integration.notifier.breaches import (
    CHANNEL,
    METRIC,
    BreachService,
    new_ticket,
    policy,
    rule,
    soon,
    target,
)
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import ADA, Outside
from tests.support.eventually import eventually

SECRET = SecretStr("whsec_c2l4dGVlbi1ieXRlcy1vci1tb3Jl")
ADDRESS = SecretStr("https://hooks.example/breach?key=1")


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


class Letters:
    """A mail server that takes letters, of one conversation each."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Letters"]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                whole = await reader.readuntil(b"\r\n.\r\n")
                self.taken.append(message_from_bytes(whole[:-5], EmailMessage, policy=email_policy.default))
            writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")
            await writer.drain()
        writer.close()


class Through:
    """The service with ways that are not Slack's."""

    def __init__(self, service: BreachService, roads: Roads) -> None:
        self._service, self._roads = service, roads

    def destinations(self) -> list[Destination]:
        return wiring.breach_destinations(self._service.context, self._roads)


def with_roads(service: BreachService, roads: Roads) -> BreachService:
    """The same service, whose courier knows those ways."""
    service.destinations = Through(service, roads).destinations  # type: ignore[method-assign]
    return service


async def test_another_channel_and_the_assignee_stand_in_for_a_channel_that_is_gone(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    archived = {"by": "channel", "channel": "C0GITLABCOM"}
    service = await open_breaches(policy(rule("1h", second_roads=[archived, {"by": "assignee"}])))
    outside.archive(CHANNEL)
    ticket = new_ticket(outside, target(soon(minutes=30)), assignee_id=int(ADA))
    await service.after(created(ticket, now), ahead=True)
    (post,) = outside.posts()
    (row,) = await service.rows()
    assert (post["channel"], row["road"], row["ts"]) == ("C0GITLABCOM", "channel C0GITLABCOM", post["ts"])
    outside.archive("zd-gitlab-com-feed")
    another = new_ticket(outside, target(soon(minutes=30)), assignee_id=int(ADA))
    await service.after(created(another, now), ahead=True)
    assert [each["channel"] for each in outside.posts()][1:] == ["D0ADA"]


@pytest.mark.parametrize("code", ["invalid_attachments", "msg_too_long", "a_code_that_nobody_listed"])
async def test_a_notice_whose_message_is_refused_takes_the_second_road_at_once(
    open_breaches: OpenBreaches, outside: Outside, now: datetime, code: str
) -> None:
    service = await open_breaches(
        policy(rule("1h", second_roads=[{"by": "channel", "channel": "C0GITLABCOM"}]))
    )
    outside.arm("error", code=code, count=1)
    await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    (post,) = outside.posts()
    (row,) = await service.rows()
    assert (post["channel"], row["road"]) == ("C0GITLABCOM", "channel C0GITLABCOM")


async def test_a_webhook_and_a_letter_when_slack_is_of_no_use(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500 if len(asked) == 1 else 204)

    roads = [{"by": "webhook"}, {"by": "email", "to": ["duty@example.com"]}]
    service = await open_breaches(policy(rule("1h", second_roads=roads)))
    outside.archive(CHANNEL)
    transport = httpx.MockTransport(answer)
    async with (
        Letters().serving() as letters,
        open_webhook(ADDRESS, SECRET, clock=service.store.clock, transport=transport) as webhook,
    ):
        mail = Mail(
            MailServer("127.0.0.1", "bot@example.com", letters.port, security="none"), service.store.clock
        )
        service = with_roads(service, Roads(webhook, mail))
        hostile = new_ticket(outside, target(soon(minutes=30)), subject="A\r\nBcc: x@example.com")
        await service.after(created(hostile, now), ahead=True)
        await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    (letter,) = letters.taken
    assert letter["To"] == "duty@example.com"
    assert letter["Bcc"] is None
    assert str(letter["Subject"]).startswith("Ticket ")
    body: dict[str, Any] = orjson.loads(asked[1].content)
    headers = asked[1].headers
    made = sign(secret_key(SECRET), headers["webhook-id"], headers["webhook-timestamp"], asked[1].content)
    assert headers["webhook-signature"] == made
    assert (headers["webhook-id"], str(asked[1].url)) == (body["key"], ADDRESS.get_secret_value())
    assert sorted(str(row["road"]) for row in await service.rows()) == ["email", "webhook"]


async def test_a_channel_that_is_parked_for_longer_than_the_lead_allows(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    roads = [{"by": "channel", "channel": "C0GITLABCOM"}]
    service = await open_breaches(policy(rule("1h", second_roads=roads), second_road_after="20s"))
    outside.arm("rate_limit", retry_after=60, count=1)
    settled = await service.after(created(new_ticket(outside, target(soon(minutes=30))), now), ahead=True)
    (notice,) = (row for key, row in settled.items() if key.startswith(BREACH_NOTICES))
    assert "Slack lets the channel wait for 60 s" in notice["reason"]
    assert [post["channel"] for post in outside.posts()] == ["C0GITLABCOM"]


async def test_what_waits_for_whatever_reason_is_found_and_goes_another_way(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    roads = [{"by": "channel", "channel": "C0GITLABCOM"}]
    service = await open_breaches(policy(rule("1h", second_roads=roads), second_road_after="0s"))
    outside.arm("rate_limit", retry_after=4, count=1)
    async with service.delivering():
        await service.hears(created(new_ticket(outside, target(soon(minutes=30))), now))
        assert await service.settled(ahead=True)
    states = await service.states()
    assert states == {f"{METRIC} 1h": ("posted", None)}
    await overdue_watch(service.context).run_if_due()
    assert not [key for key in await service.deliveries() if key.startswith(SECOND_ROADS) and "#1" in key]


async def test_nothing_is_lost_where_no_road_is_open(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    roads = [{"by": "webhook"}, {"by": "email", "to": ["duty@example.com"]}, {"by": "assignee"}]
    service = await open_breaches(policy(rule("1h", second_roads=roads)))
    outside.archive(CHANNEL)
    async with service.delivering():
        await service.hears(created(new_ticket(outside, target(soon(minutes=30)), assignee_id=None), now))

        async def tried() -> str:
            found = [row for key, row in (await service.deliveries()).items() if key.startswith(SECOND_ROADS)]
            return str(found[0].get("reason", "")) if found else ""

        reason = await eventually(tried)
    assert "NOTIFIER_WEBHOOK_URL" in reason
    assert "SMTP_HOST" in reason
    assert (await service.states())[f"{METRIC} 1h"] == ("planned", None)


async def test_many_on_one_road_wait_for_its_pace_in_due_order_and_try_no_other(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    roads = [{"by": "channel", "channel": "C0GITLABCOM"}, {"by": "channel", "channel": "C0MANAGERS"}]
    service = await open_breaches(policy(rule("1h", second_roads=roads), channel_pace=None))
    outside.archive(CHANNEL)
    outside.limit(per_second=1.0, burst=1)
    ends = [soon(minutes=minutes) for minutes in (40, 20, 30, 10)]
    tickets = [new_ticket(outside, target(at)) for at in ends]
    await service.after(*(created(each, now) for each in tickets), ahead=True)
    assert sorted(post["channel"] for post in outside.posts()) == ["C0GITLABCOM"] * 4
    told = [str(post["payload"]["ticket_id"]) for post in outside.posts()]
    by_due = [str(each["id"]) for _, each in sorted(zip(ends, tickets, strict=True), key=lambda of: of[0])]
    assert told[-1] == by_due[-1]
