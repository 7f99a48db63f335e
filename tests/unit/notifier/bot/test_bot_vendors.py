"""What the bot asks of csat, of Zendesk's lists and of Slack's answer addresses, and what it makes of odd answers."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from notifier.bot.checks import judge_scopes, judge_team
from notifier.bot.csat import Share, Week, open_csat, running
from notifier.settings import SLACK_SCOPES, CsatApiSettings
from notifier.slack.client import Identity, SlackRefused
from notifier.slack.message import Message
from notifier.slack.response_url import open_response_urls
from notifier.web import COMMANDS, EVENTS, INTERACTIONS
from supportops.clock import ManualClock
from supportops.errors import CredentialRefused, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import Zendesk, open_zendesk
from tests.architecture.tree import ROOT
from tests.support.for_each import for_each
from tests.support.sandbox import zendesk_settings

NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)
CLOCK = ManualClock(NOW)
SHARE = {"value": 0.5, "k": 1, "n": 2, "low": 0.1, "high": 0.9, "target": 0.95, "reached": False}
MONDAY = {"first_day": "2026-11-02", "kpi": SHARE, "response_rate": SHARE, "solved": 3}
CSAT = CsatApiSettings(url="http://csat:8000", token=SecretStr("csat-token"))


async def test_csat_is_asked_for_its_own_week() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        older = MONDAY | {"first_day": "2026-10-26"}
        return httpx.Response(
            200, json={"time_zone": "Europe/Berlin", "trend": [older, MONDAY], "totals": {}}
        )

    async with open_csat(CSAT, clock=CLOCK, transport=httpx.MockTransport(answer)) as csat:
        assert csat is not None
        week, zone = await csat.this_week()
    share = Share(2, 1, 0.1, 0.9, 0.5, 0.95, False)
    assert (week, zone) == (Week(date(2026, 11, 2), share, share), "Europe/Berlin")
    assert str(asked[0].url) == "http://csat:8000/api/kpi?trend=week&since=2026-10-21"
    assert asked[0].headers["Authorization"] == "Bearer csat-token"


@for_each(
    "status, body, error",
    [
        (401, "{}", CredentialRefused),
        (503, "{}", Retryable),
        (200, "<html>", Permanent),
        (200, '{"trend": 7}', Permanent),
        (200, '{"time_zone": "UTC", "trend": [{"first_day": "soon"}]}', Permanent),
    ],
)
async def test_an_odd_answer_of_csat_is_an_error(status: int, body: str, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    async with open_csat(CSAT, clock=CLOCK, transport=transport) as csat:
        assert csat is not None
        with pytest.raises(error):
            await csat.this_week()


async def test_without_an_address_csat_is_not_connected() -> None:
    async with open_csat(CsatApiSettings(url=None, token=None), clock=CLOCK) as csat:
        assert csat is None
    with pytest.raises(ValueError, match="CSAT_API_TOKEN must be set"):
        CsatApiSettings(url="http://csat:8000", token=None)


def test_a_week_that_is_over_is_not_this_week() -> None:
    week = Week(date(2026, 10, 26), *[Share(0, 0, 0, 0)] * 2)
    assert running([week], datetime(2026, 11, 2, 23, tzinfo=UTC)) is week  # still Sunday somewhere
    assert running([week], datetime(2026, 11, 3, 1, tzinfo=UTC)) is None
    assert running([], NOW) is None


HOOKS = "https://hooks.slack.com"


@for_each(
    "status, error",
    [
        (404, SlackRefused),
        (410, SlackRefused),
        (400, SlackRefused),
        (403, SlackRefused),
        (500, UnknownOutcome),
        (429, Retryable),
    ],
)
async def test_an_address_that_is_used_up_is_left_and_an_outage_is_tried_again(
    status: int, error: type[Exception]
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="expired_url"))
    async with open_response_urls(HOOKS, clock=CLOCK, metrics=Metrics(), transport=transport) as urls:
        with pytest.raises(error) as raised:
            await urls.answer(f"{HOOKS}/commands/T1/secret", Message("x", []))
    assert "secret" not in str(raised.value)


async def test_an_answer_is_for_who_asked_and_goes_nowhere_else() -> None:
    sent: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, text="ok")

    transport = httpx.MockTransport(take)
    async with open_response_urls(HOOKS, clock=CLOCK, metrics=Metrics(), transport=transport) as urls:
        await urls.answer(f"{HOOKS}/commands/T1/1", Message("hi", []))
        with pytest.raises(SlackRefused, match="not_slacks_address"):
            await urls.answer("https://evil.example/commands/T1/1", Message("hi", []))
    (request,) = sent
    assert request.read() == b'{"response_type":"ephemeral","replace_original":false,"text":"hi"}'
    assert "authorization" not in request.headers


async def asked_of_zendesk(body: Any, ask: Callable[[Zendesk], Any]) -> tuple[Any, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/tokens"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600, "token_type": "bearer"})
        seen.append(request)
        return httpx.Response(200, json=body)

    settings, transport = zendesk_settings("https://z.example"), httpx.MockTransport(answer)
    async with open_zendesk(
        settings, ("read",), clock=CLOCK, metrics=Metrics(), transport=transport
    ) as zendesk:
        return await ask(zendesk), seen


async def test_counts_that_cannot_be_read_are_missing_and_none_is_not_zero() -> None:
    rows = [{"view_id": 1, "value": 0, "fresh": True}, {"view_id": 2, "value": None, "fresh": False}]
    rows += [{"view_id": 3, "value": "many"}, {"view_id": 4, "value": -1}, {"view_id": 5, "value": 7}]
    found, seen = await asked_of_zendesk({"view_counts": rows}, lambda z: z.lists.count_many(["1", "2", "3"]))
    assert {key: (each.value, each.fresh) for key, each in found.items()} == {
        "1": (0, True),
        "2": (None, False),
        "5": (7, False),
    }
    assert seen[0].url.params["ids"] == "1,2,3"
    with pytest.raises(ValueError, match="at most 20"):
        await asked_of_zendesk({}, lambda z: z.lists.count_many([str(n) for n in range(21)]))


async def test_a_search_is_asked_for_an_address() -> None:
    _, seen = await asked_of_zendesk(
        {"results": []}, lambda z: z.lists.assigned_to("ada@support.example", 10)
    )
    assert seen[0].url.params["query"] == 'type:ticket status<solved assignee:"ada@support.example"'


@for_each("odd", ['a"@b.c status>new', "a b@c.d", "me", "a@b.c\n", "ä@b.c OR x@y.z"])
async def test_no_other_text_gets_into_a_search(odd: str) -> None:
    with pytest.raises(Permanent):
        await asked_of_zendesk({}, lambda z: z.lists.assigned_to(odd, 10))


def test_the_doctor_names_what_each_missing_scope_costs() -> None:
    def verdicts(scopes: set[str] | None, asked: bool = True) -> dict[str, str]:
        who = Identity("bot", "Team", "T1", None if scopes is None else frozenset(scopes))
        return {each.detail.partition(":")[0]: each.verdict for each in judge_scopes(who, asked=asked)}

    everything = set(SLACK_SCOPES)
    assert verdicts(everything) == {f"{len(everything)} scopes, all that are needed": "ok"}
    lacking = {"usergroups": "warning", "users": "failed", "chat": "failed"}
    assert verdicts(everything - {"usergroups:read", "users:read", "chat:write"}) == lacking
    assert list(verdicts(everything - {"users:read", "commands"}, asked=False).values()) == ["ok"]
    assert list(verdicts(None).values()) == ["skipped"]
    assert judge_team(Identity("bot", "Team", "T1"), "T1").verdict == "ok"
    assert judge_team(Identity("bot", "Team", "T2"), "T1").verdict == "failed"


def test_the_manifest_asks_for_what_the_doctor_checks_and_names_our_addresses() -> None:
    manifest = yaml.safe_load((ROOT / "docs/setup/slack-manifest.yaml").read_text())
    assert manifest["oauth_config"]["scopes"]["bot"] == sorted(SLACK_SCOPES)
    assert manifest["features"]["slash_commands"][0]["url"] == f"https://YOUR-NOTIFIER{COMMANDS}"
    settings = manifest["settings"]
    assert settings["event_subscriptions"]["request_url"] == f"https://YOUR-NOTIFIER{EVENTS}"
    assert settings["interactivity"]["request_url"] == f"https://YOUR-NOTIFIER{INTERACTIONS}"
    assert settings["event_subscriptions"]["bot_events"] == ["app_mention"]
    page = (ROOT / "docs/setup/slack.md").read_text()
    assert [scope for scope in SLACK_SCOPES if f"`{scope}`" not in page] == []
