"""Who gets an answer: our own people, by the rules; what Slack does not say, or says oddly, is a no."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from notifier.bot.gate import GUEST, NOT_ALLOWED, OUTSIDER, UNSEEN, Admitted, Gate, Refused
from notifier.bot.questions import Question, understood
from notifier.policy.bot import BotPolicy
from notifier.settings import SlackSettings
from notifier.slack.client import SlackCredentialError, open_slack
from supportops.clock import ManualClock
from supportops.errors import Retryable
from supportops.observability.metrics import Metrics
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OURS = {"id": "U1", "team_id": "T1", "profile": {"email": "ada@support.example"}}
OPEN = {"is_ext_shared": False}
Says = dict[str, Any]


@asynccontextmanager
async def gate(policy: BotPolicy, clock: ManualClock | None = None, **says: Says) -> AsyncIterator[Gate]:
    """A gate whose Slack says that of `user`, `channel`, `group`."""
    methods = {"/users.info": "user", "/conversations.info": "channel", "/usergroups.users.list": "group"}

    def answer(request: httpx.Request) -> httpx.Response:
        name = next(name for path, name in methods.items() if request.url.path.endswith(path))
        said = says.get(name, {"error": "user_not_found"})
        return httpx.Response(200, json=said if "error" in said else {"ok": True} | said)

    settings = SlackSettings(base_url="https://slack.example/api", token=SecretStr("xoxb-1"))
    made = clock or ManualClock(NOW)
    transport = httpx.MockTransport(answer)
    async with open_slack(settings, clock=made, metrics=Metrics(), transport=transport) as slack:
        yield Gate(slack, policy, "T1")


def question(**values: Any) -> Question:
    usual: Says = {"id": "q", "user": "U1", "home": "T1", "channel": "C1", "text": "views"}
    return Question(**(usual | {"asked_at": NOW.isoformat()} | values))


GUESTS = BotPolicy(guests=True)
PEOPLE: tuple[tuple[Says, BotPolicy, str | None], ...] = (
    (OURS, BotPolicy(), None),
    (OURS | {"team_id": "T2"}, BotPolicy(), OUTSIDER),
    (OURS | {"team_id": None}, BotPolicy(), OUTSIDER),
    (OURS | {"team_id": "T2", "enterprise_user": {"teams": ["T2", "T1"]}}, BotPolicy(), None),
    (OURS | {"enterprise_user": "T1"}, BotPolicy(), None),
    (OURS | {"is_stranger": True}, BotPolicy(), OUTSIDER),
    (OURS | {"is_bot": True}, BotPolicy(), OUTSIDER),
    (OURS | {"deleted": True}, BotPolicy(), OUTSIDER),
    (OURS | {"is_restricted": True}, BotPolicy(), GUEST),
    (OURS | {"is_ultra_restricted": True}, BotPolicy(), GUEST),
    (OURS | {"is_ultra_restricted": True}, GUESTS, None),
    (OURS, BotPolicy(access=()), NOT_ALLOWED),
    ({}, BotPolicy(), OUTSIDER),
)


@for_each("user, policy, refusal", PEOPLE)
async def test_who_gets_an_answer(user: Says, policy: BotPolicy, refusal: str | None) -> None:
    async with gate(policy, user={"user": user}, channel={"channel": OPEN}) as door:
        found = await door.admit(question(), understood("views"))
    assert (found.words if isinstance(found, Refused) else None) == refusal


async def test_whoever_is_said_to_be_of_another_workspace_is_not_even_looked_up() -> None:
    async with gate(BotPolicy(), user={"error": "internal_error"}) as door:
        assert await door.admit(question(home="T2"), understood("views")) == Refused(OUTSIDER)


async def test_without_the_scope_nobody_gets_anything_and_an_outage_is_none_of_their_faults() -> None:
    async with gate(BotPolicy(), user={"ok": False, "error": "missing_scope"}) as door:
        assert await door.admit(question(), understood("views")) == Refused(UNSEEN)
    async with gate(BotPolicy(), user={"ok": False, "error": "service_unavailable"}) as door:
        with pytest.raises(Retryable):
            await door.admit(question(), understood("views"))
    async with gate(BotPolicy(), user={"ok": False, "error": "token_revoked"}) as door:
        with pytest.raises(SlackCredentialError):
            await door.admit(question(), understood("views"))


AUDIENCES: tuple[tuple[Says, bool], ...] = (
    ({"channel": OPEN}, True),
    ({"channel": {"is_ext_shared": True}}, False),
    ({"channel": OPEN | {"is_pending_ext_shared": True}}, False),
    ({"channel": {}}, False),
    ({"channel": None}, False),
    ({"channel": {"is_im": True}}, True),
    ({"channel": {"is_im": True, "is_ext_shared": True}}, False),  # with somebody of another company
    ({"ok": False, "error": "channel_not_found"}, False),
    ({"ok": False, "error": "missing_scope"}, False),
)


@for_each("channel, openly", AUDIENCES)
async def test_a_mention_is_answered_openly_only_among_ourselves(channel: Says, openly: bool) -> None:
    async with gate(BotPolicy(), user={"user": OURS}, channel=channel) as door:
        mention = await door.admit(question(thread="1.1"), understood("views"))
        command = await door.admit(question(response_url="https://x"), understood("views"))
    assert isinstance(mention, Admitted)
    assert mention.openly is openly
    assert isinstance(command, Admitted)
    assert not command.openly


ROWS: tuple[tuple[Says, str, str, bool], ...] = (
    ({}, "views", "C9", True),
    ({"commands": ["views"]}, "views", "C9", True),
    ({"commands": ["csat"]}, "views", "C9", False),
    ({"channels": ["C123"]}, "views", "C9", False),
    ({"groups": ["S123"]}, "views", "C9", True),
    ({"groups": ["S123"], "users": ["U999"], "channels": ["C123"]}, "views", "C123", True),
    ({"users": ["U999"]}, "views", "C9", False),
    ({"commands": ["csat"]}, "help", "C9", True),
    ({"commands": ["csat"]}, "nonsense", "C9", True),
)


@for_each("access, text, channel, allowed", ROWS)
async def test_a_permission_covers_commands_channels_and_people(
    access: Says, text: str, channel: str, allowed: bool
) -> None:
    policy = BotPolicy.model_validate({"access": [access]})
    async with gate(policy, user={"user": OURS}, channel={"channel": OPEN}, group={"users": ["U1"]}) as door:
        found = await door.admit(question(channel=channel), understood(text))
    assert isinstance(found, Admitted) is allowed


@for_each("group", [{"ok": False, "error": "no_such_subteam"}, {"users": "U1"}, {"users": [1]}])
async def test_a_group_that_slack_does_not_show_lets_nobody_in(group: Says) -> None:
    policy = BotPolicy.model_validate({"access": [{"groups": ["S123"]}]})
    async with gate(policy, user={"user": OURS}, group=group) as door:
        assert await door.admit(question(), understood("views")) == Refused(NOT_ALLOWED)


async def test_who_somebody_is_is_believed_for_two_minutes_and_no_longer() -> None:
    clock = ManualClock(NOW)
    says: dict[str, Says] = {"user": {"user": OURS}, "channel": {"channel": OPEN}}
    async with gate(BotPolicy(), clock, **says) as door:
        assert isinstance(await door.admit(question(), understood("views")), Admitted)
        says["user"]["user"] = OURS | {"deleted": True}
        clock.advance(timedelta(seconds=119))
        assert isinstance(await door.admit(question(), understood("views")), Admitted)
        clock.advance(timedelta(seconds=2))
        assert await door.admit(question(), understood("views")) == Refused(OUTSIDER)


WRONG: tuple[Callable[[], BotPolicy], ...] = (
    lambda: BotPolicy.model_validate({"access": [{"commands": ["drop"]}]}),
    lambda: BotPolicy.model_validate({"access": [{"channels": ["#general"]}]}),
    lambda: BotPolicy.model_validate({"access": [{"groups": ["leads"]}]}),
    lambda: BotPolicy.model_validate({"patience": "30s"}),
    lambda: BotPolicy.model_validate({"views": {"every": "30s"}}),
    lambda: BotPolicy.model_validate({"views": {"every": "5m", "list_every": "1m"}}),
    lambda: BotPolicy.model_validate({"acces": []}),
)


@for_each("make", WRONG)
def test_a_mistake_in_the_rules_is_refused(make: Callable[[], BotPolicy]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        make()
