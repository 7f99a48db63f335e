"""`notifier explain` and `notifier doctor`, against the sandbox."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from notifier.breaches.reader import ROAD
from notifier.destinations import POSTS
from notifier.operations.doctor import checks
from notifier.operations.explain import explain_ticket
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import Settings, SlackRequestsSettings
from notifier.tables import remembered
from supportops.clock import Clock, SystemClock
from supportops.operations.checks import Finding, examine
from supportops.store import open_store
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.bot import SECRET
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside
from tests.support.for_each import for_each

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


async def test_a_tickets_messages_and_calls_are_told(service: Service, outside: Outside) -> None:
    ticket = outside.create(form="Self-Managed", subject="Confidential")
    await service.after(created(ticket, datetime.now(UTC)))
    async with service.store.reading() as conn:
        told = await explain_ticket(conn, str(ticket["id"]), datetime.now(UTC), False)
        stranger = await explain_ticket(conn, "99999", datetime.now(UTC), False)
    assert (told.known, stranger.known) == (True, False)
    assert f"posted in {SELF_MANAGED}" in told.standing["messages"]
    assert f"call {POSTS}" in [line.what for line in told.lines]
    assert [call["state"] for call in told.document["deliveries"] if call["destination"] == POSTS] == ["done"]
    assert "Confidential" not in str(told)


async def look(settings: Settings) -> dict[str, Finding]:
    async with checks(settings, RULES) as own:
        return {found.check: found for found in await examine(own, settings.secrets())}


async def test_the_doctor_looks_at_the_token_and_each_channel(settings: Settings) -> None:
    found = await look(settings)
    named = {name for name in found if name.startswith("slack channel ")}
    assert {each.verdict for name, each in found.items() if name not in named} == {"ok"}, found
    assert found["slack token"].detail == "as supportbot in Sandbox"
    assert "write its id C0SELFMANAGED instead" in found[f"slack channel {SELF_MANAGED}"].detail
    assert found["sibling automations"].detail.startswith("none of 0")


MARKED = {"name": "m", "channel": "C0MANAGERS", "private_comments": True}
PLAIN = {"name": "m", "channel": "C0MANAGERS"}
BREACHES = {"rules": [{"name": "b", "channel": "C0MANAGERS", "title": "T", "hours": "business"}]}
CHANNEL = "slack channel C0MANAGERS"
SIBLING = {
    "title": "Tell Slack",
    "actions": [{"field": "notification_target", "value": ["7", "https://hooks.slack.com/x"]}],
}
BY_TAG = {"title": "Hourly", "actions": [{"field": "current_tags", "value": "slah-2hr-breach-notification"}]}
Arrange = Callable[[Outside], None]


def nothing(_: Outside) -> None:
    """What is wrong is in the case itself."""


def channel(**flags: bool) -> Arrange:
    return lambda outside: outside.make_channel("C0MANAGERS", **flags)


def unread(path: str, code: str = "missing_scope", service: str = "slack") -> Arrange:
    return lambda outside: outside.arm("error", path=path, code=code, count=5, service=service)


def rules_of_zendesk(**rules: list[dict[str, Any]]) -> Arrange:
    return lambda outside: outside.set_business_rules(**rules)


@dataclass(frozen=True)
class Case:
    """A finding that something makes red: by what, and how it is said; `green` is what makes it well again."""

    check: str
    red: Arrange
    verdict: str
    words: str
    green: Arrange = nothing
    feed: Mapping[str, Any] = field(default_factory=lambda: PLAIN)
    ahead: timedelta = timedelta()


CASES = {
    "joined": Case(CHANNEL, channel(member=False), "failed", "the bot is not in it", channel(member=True)),
    "private and not joined": Case(
        CHANNEL, channel(private=True, member=False), "failed", "channel_not_found", channel(private=True)
    ),
    "archived": Case(CHANNEL, channel(archived=True), "failed", "archived", channel()),
    "public": Case(CHANNEL, channel(), "failed", "the channel is public", channel(private=True), MARKED),
    "outsiders": Case(
        CHANNEL,
        channel(private=True, ext_shared=True),
        "failed",
        "people of another",
        channel(private=True),
        MARKED,
    ),
    "audience": Case(
        CHANNEL, unread("conversations.info"), "warning", "who reads it cannot be told", channel()
    ),
    "history": Case(CHANNEL, unread("conversations.history"), "warning", "history cannot be read", channel()),
    "no such channel": Case(
        "slack channel nowhere",
        nothing,
        "failed",
        "no channel that",
        channel(),
        {"name": "m", "channel": "nowhere"},
    ),
    "scopes": Case("slack scopes", lambda outside: outside.allow("chat:write"), "warning", "channels:read"),
    "may not post": Case(
        "slack scopes", lambda outside: outside.allow("channels:read"), "failed", "chat:write"
    ),
    "token": Case("slack token", unread("auth.test", "invalid_auth"), "failed", "invalid_auth"),
    "siblings": Case("sibling automations", rules_of_zendesk(triggers=[SIBLING]), "warning", '"Tell Slack"'),
    "siblings by tag": Case(
        "sibling automations", rules_of_zendesk(automations=[BY_TAG]), "warning", '"Hourly"'
    ),
    "our clock and Zendesk's": Case("clock: zendesk", nothing, "failed", "ahead", ahead=timedelta(minutes=1)),
    "our clock and Slack's": Case("clock: slack", nothing, "failed", "ahead", ahead=timedelta(minutes=1)),
}


async def finding(settings: Settings, case: Case, clock: Clock) -> Finding:
    """What the doctor says under that name; only the checks that may say it are run."""
    rules = {"feeds": [case.feed], "breaches": {"rules": [TAGGING]}}
    async with checks(settings, NotifierPolicy.model_validate(rules), clock) as own:
        wanted = [each for each in own if each.name in (case.check, *OTHER_NAMES.get(case.check, ()))]
        wanted = wanted or [each for each in own if each.name == "slack channels"]
        found = [each for each in await examine(wanted, settings.secrets()) if each.check == case.check]
    return next((each for each in found if case.words in each.detail), found[0])


TAGGING = {"name": "b", "channel": "C0OTHER", "title": "T", "tag": "slah-2hr-breach-notification"}
OTHER_NAMES = {"clock: slack": ("slack token",)}


class Ahead:
    """A clock that is ahead of the others'."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by


@for_each("case", CASES.values())
async def test_each_finding_is_red_for_its_reason_and_green_without_it(
    settings: Settings, outside: Outside, case: Case
) -> None:
    outside.reset()
    case.red(outside)
    red = await finding(settings, case, Ahead(case.ahead))
    assert (red.verdict, case.words in red.detail) == (case.verdict, True), red
    assert red.remedy
    outside.reset()
    case.green(outside)
    if case.check.endswith("nowhere"):
        outside.make_channel("C0NOWHERE", name="nowhere")
    green = await finding(settings, case, SystemClock())
    assert green.verdict == ("warning" if case.check.endswith("nowhere") else "ok"), (
        green
    )  # a name, not an id


@for_each(
    "check, team, group, said",
    [
        ("bot: user groups", "T0SANDBOX", "S0LEADS", ("ok", "S0LEADS: 1 people")),
        ("bot: user groups", "T0SANDBOX", "S0NOBODY", ("failed", "no_such_subteam")),
        ("slack workspace", "T0SANDBOX", "S0LEADS", ("ok", "like the token's")),
        ("slack workspace", "T0OTHER", "S0LEADS", ("failed", "nobody would get an answer")),
    ],
)
async def test_what_the_bot_needs(
    settings: Settings, outside: Outside, check: str, team: str, group: str, said: tuple[str, str]
) -> None:
    outside.make_person("U0LEAD", groups=["S0LEADS"])
    requests = SlackRequestsSettings(signing_secret=SecretStr(SECRET), team_id=team)
    asked = settings.model_copy(update={"slack_requests": requests})
    rules = NotifierPolicy.model_validate({"bot": {"access": [{"groups": [group]}]}})
    async with checks(asked, rules) as own:
        (found,) = await examine([each for each in own if each.name == check])
    assert (found.verdict, said[1] in found.detail) == (said[0], True), found


async def test_the_road_to_targets_is_the_one_that_the_account_showed(settings: Settings) -> None:
    rules = NotifierPolicy.model_validate({"breaches": {"rules": [TAGGING]}})

    async def told() -> Finding:
        async with checks(settings, rules) as own:
            (found,) = await examine([each for each in own if each.name == "sla targets"])
        return found

    assert (await told()).verdict == "warning"
    async with open_store(settings.database, clock=SystemClock()) as store, store.transaction() as tx:
        tx.replace(remembered, name=ROAD, value="sideload", changed_at=tx.now)
    assert (await told()).detail == "read by the road sideload"
