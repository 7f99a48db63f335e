"""The bot is asked over HTTP as Slack asks: in time whatever hangs, once whoever gets a copy, by our own people."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.bot.gate import GUEST, NOT_ALLOWED, OUTSIDER, UNSEEN
from notifier.bot.intake import LOOKING
from notifier.bot.tickets import UNSHOWN
from notifier.policy.bot import BotPolicy
from notifier.policy.notifier import NotifierPolicy
from tests.integration.notifier.bot import BotService
from tests.integration.notifier.breaches import new_ticket, policy, soon, target
from tests.integration.notifier.conftest import OpenBot, OpenBreaches
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import ADA, Outside
from tests.support.eventually import eventually

CHANNEL = "C0SUPPORTOPS"


def rules(**bot: Any) -> NotifierPolicy:
    return NotifierPolicy(bot=BotPolicy.model_validate(bot))


@pytest.fixture
async def bot(open_bot_service: OpenBot) -> BotService:
    """One with the shipped rules."""
    return await open_bot_service(rules())


async def test_views_are_counted_by_one_poller_and_say_how_old_and_how_sure_they_are(
    bot: BotService, outside: Outside
) -> None:
    outside.set_views(
        {"id": 1, "title": "All & <!here>", "position": 1, "query": "status<solved"},
        {"id": 2, "title": "Stale", "position": 2, "value": 719, "fresh": False},
        {"id": 3, "title": "Counting", "position": 3, "value": None},
        {"id": 4, "title": "Hidden", "position": 4, "readable": False},
        {"id": 5, "title": "Mine alone", "restriction": {"type": "User", "id": 7}},
    )
    outside.create(form="Self-Managed", subject="One")
    async with bot.up():
        assert "No views are known yet" in await bot.answer_to("views")
        assert await bot.poller.run_if_due()
        assert not await bot.poller.run_if_due()
        shown = (await bot.answer_to("views")).splitlines()
    assert shown[0] == "4 views of Zendesk:"
    assert shown[1].startswith("• All &amp; &lt;!here&gt; — 1 · ")
    assert shown[2].startswith("• Stale — 719 · not fresh: Zendesk does not say from when · asked ")
    assert shown[3].startswith("• Counting — unknown: Zendesk is still counting · asked ")
    assert shown[4].startswith("• Hidden — Zendesk does not show this view to me · asked ")


async def test_a_view_shows_its_tickets_but_none_of_a_secret_form(bot: BotService, outside: Outside) -> None:
    outside.create(form="Self-Managed", subject="Runner <@U0ADA> fails", assignee_id=int(ADA))
    outside.create(form="Security Issue", subject="A hole")
    await bot.poller.run_if_due()
    async with bot.up():
        shown = await bot.answer_to("view unsolved")
        assert "Runner &lt;@U0ADA&gt; fails" in shown
        assert "A hole" not in shown
        assert "1 of a kind that Slack never sees." in shown
        assert "No view is called nothing like it." in await bot.answer_to("view nothing like it")
        assert "Several views are called like" in await bot.answer_to("view s")
        assert "Which one?" in await bot.answer_to("view")
        assert "Runner" in await bot.answer_to("mine")
        assert await bot.answer_to("mine", user="U0TAM") == "Nothing that waits is assigned to you."


async def test_the_story_of_a_ticket_is_told_and_not_that_of_a_secret_one(
    bot: BotService, outside: Outside
) -> None:
    known = outside.create(form="Self-Managed", subject="Known")["id"]
    secret = outside.create(form="Security Issue", subject="A hole")["id"]
    async with bot.up():
        shown = await bot.answer_to(f"ticket #{known}")
        assert f"#{known} Known" in shown
        assert "Nothing was said of it" in shown
        assert await bot.answer_to(f"ticket {secret}") == UNSHOWN
        assert await bot.answer_to("ticket 99999999") == UNSHOWN
        assert "Which one?" in await bot.answer_to("ticket one")


async def test_three_seconds_hold_while_zendesk_hangs_and_under_load(
    open_bot_service: OpenBot, outside: Outside
) -> None:
    bot = await open_bot_service(rules(patience="1s"))
    outside.arm("hang", path="/tickets/", service="zendesk", delay=20)
    async with bot.up():
        acks = await asyncio.gather(*(bot.command(f"ticket {n}") for n in range(40)))
        assert {ack["status"] for ack in acks} == {200}
        assert {LOOKING in ack["text"] for ack in acks} == {True}
        assert max(ack["seconds"] for ack in acks) < 3
        await _responses(outside, 1)
    assert "That took too long" in outside.responses()[0]["text"]


async def test_what_comes_again_at_whatever_replica_is_answered_once(
    bot: BotService, outside: Outside
) -> None:
    async with bot.up(replicas=2):
        acks = await asyncio.gather(
            *(bot.mention("help", replica=n % 2, event_id="Ev1") for n in range(6)),
            *(bot.command("help", replica=n % 2, trigger_id="1.2.abc") for n in range(6)),
        )
        assert {ack["status"] for ack in acks} == {200}
        await bot.settled()
    assert len(outside.responses()) == 1
    assert len([post for post in outside.posts() if post["event_type"] == "bot_answer"]) == 1


async def _responses(outside: Outside, number: int) -> None:
    async def there() -> bool:
        return len(outside.responses()) >= number

    await eventually(there, within=15)


Refusal = Callable[[BotService], Awaitable[dict[str, Any]]]
REFUSED: tuple[tuple[Refusal, int], ...] = (
    (lambda bot: bot.command("views", team_id="T0OTHER"), 403),
    (lambda bot: bot.command("views", team_id=""), 403),
    (lambda bot: bot.mention("views", team_id="T0OTHER", authorizations=[]), 403),
    (lambda bot: bot.mention("views", event={"bot_id": "B1"}), 200),
    (lambda bot: bot.mention("views", event={"type": "message"}), 200),
    (lambda bot: bot.mention("views", event={"subtype": "message_changed"}), 200),
)


async def test_other_teams_bots_and_foreign_addresses_are_refused(bot: BotService, outside: Outside) -> None:
    async with bot.up():
        answers = [(await ask(bot))["status"] for ask, _ in REFUSED]
        assert answers == [status for _, status in REFUSED]
        assert await bot.deliveries() == {}
        for url in ("https://evil.example/commands/T/1", f"{outside.base_url}/slack/api/auth.test", ""):
            await bot.command("views", response_url=url)
        settled = await bot.settled()
    assert {row["kind"] for row in settled.values()} == {"moot"}
    assert outside.responses() == []


async def test_people_of_other_companies_and_guests_get_nothing(
    open_bot_service: OpenBot, outside: Outside
) -> None:
    outside.make_person("U0OTHER", team="T0OTHER")
    outside.make_person("U0GUEST", guest=True)
    outside.make_channel(CHANNEL, ext_shared=True)
    bot = await open_bot_service(rules())
    async with bot.up():
        assert await bot.answer_to("breaching", user="U0OTHER") == OUTSIDER
        assert await bot.answer_to("breaching", user="U0NOBODY") == OUTSIDER
        assert await bot.answer_to("breaching", user="U0GUEST") == GUEST
        await bot.mention("breaching", user="U0ADA", event={"user_team": "T0OTHER"})
        await bot.mention("breaching")  # one of ours in a shared channel: to herself alone
        await bot.settled()
        guests = await open_bot_service(rules(guests=True))
    assert [word["text"] for word in outside.ephemeral()] == [OUTSIDER, "No target of a watched ticket runs."]
    assert outside.posts() == []
    async with guests.up():
        assert await guests.answer_to("breaching", user="U0GUEST") == "No target of a watched ticket runs."


async def test_the_rules_say_who_may_ask_what_where(open_bot_service: OpenBot, outside: Outside) -> None:
    outside.make_person("U0LEAD", groups=["S0LEADS"])
    access = [
        {"commands": ["breaching"], "channels": [CHANNEL]},
        {"commands": ["csat", "views"], "groups": ["S0LEADS"]},
        {"commands": ["mine"], "users": ["U0TAM"]},
    ]
    bot = await open_bot_service(rules(access=access))
    asked = (
        ("breaching", "U0ADA", CHANNEL, True),
        ("breaching", "U0LEAD", "C0CSAT", False),
        ("views", "U0LEAD", "C0CSAT", True),
        ("views", "U0ADA", "C0CSAT", False),
        ("mine", "U0TAM", "D0TAM", True),
        ("mine", "U0ADA", CHANNEL, False),
        ("ticket 1", "U0LEAD", CHANNEL, False),
        ("help", "U0ADA", CHANNEL, True),
        ("nonsense", "U0ADA", CHANNEL, True),
    )
    async with bot.up():
        answers = [await bot.answer_to(text, user=user, channel=channel) for text, user, channel, _ in asked]
        outside.allow("chat:write", "commands")
        outside.make_person("U0NEW")
        assert await bot.answer_to("help", user="U0NEW") == UNSEEN
    assert [text != NOT_ALLOWED for text in answers] == [allowed for *_, allowed in asked]


async def test_what_breaches_next_is_told_with_the_time_left(
    bot: BotService, outside: Outside, open_breaches: OpenBreaches
) -> None:
    watched = await open_breaches(policy())
    ticket = new_ticket(outside, target(soon(hours=3)), subject="Down & out")
    async with watched.delivering():
        await watched.hears(created(ticket, datetime.now(UTC)))
        await watched.settled(ahead=True)
    async with bot.up():
        shown = await bot.answer_to("breaching")
    assert "The next 1 to breach:" in shown
    assert "2h 59m left · first reply time" in shown
    assert "Down &amp; out" in shown
