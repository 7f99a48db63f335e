"""A notice is taken on, over HTTP as Slack sends it: quiet until that ends, and nobody else's request is believed."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from notifier import tables
from notifier.breaches.acknowledge import UNKNOWN
from notifier.breaches.render import GIVE_BACK, TAKE
from notifier.destinations import SLA_READINGS
from notifier.policy.breach_settings import Acknowledging
from notifier.settings import SlackRequestsSettings
from notifier.slack.requests import SlackRequests
from notifier.slack.signature import signature
from notifier.web import INTERACTIONS, SlackSide, add_interactions
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
from tests.integration.notifier.events import commented, created, said
from tests.integration.notifier.sandbox import Outside, shown
from tests.support.eventually import eventually

SECRET, TEAM, USER, CHANNEL_ID = "a-signing-secret-of-slack", "T0SANDBOX", "U0ADA", "C0BREACHSM"
SETTINGS = SlackRequestsSettings(signing_secret=SecretStr(SECRET), team_id=TEAM)
Press = Callable[..., Any]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def pressed(key: str, action: str = TAKE, **more: Any) -> dict[str, Any]:
    """What Slack sends of a pressed button."""
    user = {"id": USER, "team_id": TEAM, "name": "ada"} | more.pop("user", {})
    button = {"action_id": action, "value": key, "action_ts": more.pop("action_ts", "1.1"), "type": "button"}
    usual = {"type": "block_actions", "team": {"id": TEAM}, "user": user, "channel": {"id": CHANNEL_ID}}
    return usual | {"actions": [button]} | more


async def press(
    service: BreachService,
    payload: Any,
    rules: Acknowledging | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    """Send it as Slack does; the status of our answer."""
    app = FastAPI()
    requests = SlackRequests(SETTINGS, service.store.clock)
    add_interactions(app, service.store, SlackSide(requests, rules or service.context.rules.acknowledge))
    body = payload if isinstance(payload, bytes) else urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(time.time()))
    signed = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": signature(SECRET, stamp.encode(), body).decode(),
    }
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as client:
        return (await client.post(INTERACTIONS, content=body, headers=signed | (headers or {}))).status_code


async def told(service: BreachService, outside: Outside, now: datetime, **due: float) -> tuple[Any, str]:
    """A ticket with a notice in Slack, and the key of its target; the courier runs."""
    ticket = new_ticket(outside, target(soon(**due)))
    await service.hears(created(ticket, now))

    async def key() -> str:
        rows = await service.rows(tables.breach_targets)
        return str(rows[0]["key"]) if rows else ""

    return ticket, await eventually(key)


async def test_taken_it_is_quiet_shows_who_has_it_and_a_public_reply_ends_that(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(rule("1h", "30m")))
    async with service.delivering():
        ticket, key = await told(service, outside, now, minutes=30, seconds=9)
        assert await press(service, pressed(key)) == 200
        assert await press(service, pressed(key)) == 200  # Slack sends it again

        async def held() -> bool:
            return (await service.states())[f"{METRIC} 30m"] == ("held", "somebody has taken it on")

        await eventually(held, within=20)
        assert any(f"taken by <@{USER}> until" in shown(edited) for edited in outside.updates())
        words = outside.ephemeral()
        assert [word["text"].split(" until")[0] for word in words] == ["It is yours"]
        await service.hears(commented(ticket, said("1"), datetime.now(UTC)))

        async def told_again() -> bool:
            return (await service.states())[f"{METRIC} 30m"][0] == "posted"

        await eventually(told_again, within=20)  # the reply answered something else: the target still runs
    assert len(outside.posts(CHANNEL)) == 2


async def test_who_presses_before_the_post_is_on_record_takes_it_all_the_same(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(rule("1h")))
    ticket = new_ticket(outside, target(soon(minutes=30)))
    await service.hears(created(ticket, now))
    async with service.delivering(SLA_READINGS):
        (notice,) = await eventually(service.rows)
    assert notice["state"] == "planned"
    assert await press(service, pressed(notice["target"])) == 200
    assert await press(service, pressed("of-no-notice", action_ts="3.3")) == 200
    async with service.delivering():
        await eventually(lambda: len(outside.ephemeral()) == 2, within=20)
    words = [word["text"].split(" until")[0] for word in outside.ephemeral()]
    assert words == [UNKNOWN, "It is yours"]
    (taken,) = await service.rows(tables.breach_targets)
    assert taken["taken_by"] == USER


async def test_given_back_what_was_held_comes_at_once(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy(rule("1h", "30m")))
    async with service.delivering():
        _, key = await told(service, outside, now, minutes=30, seconds=6)
        assert await press(service, pressed(key)) == 200

        async def state() -> str:
            return (await service.states())[f"{METRIC} 30m"][0]

        async def is_held() -> bool:
            return await state() == "held"

        async def is_posted() -> bool:
            return await state() == "posted"

        await eventually(is_held, within=20)
        assert await press(service, pressed(key, GIVE_BACK, action_ts="2.2")) == 200
        await eventually(is_posted, within=20)


async def test_a_reminder_comes_before_it_ends(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    rules = Acknowledging.model_validate({"lasts": "1m", "remind_before": "59s"})
    service = await open_breaches(policy())
    async with service.delivering():
        _, key = await told(service, outside, now, minutes=30)
        assert await press(service, pressed(key), rules) == 200

        async def reminded() -> bool:
            return any("is yours until" in post["text"] for post in outside.posts("Ada Agent"))

        await eventually(reminded, within=10)


REFUSED: tuple[tuple[Any, dict[str, str], int], ...] = (
    (pressed("k"), {"x-slack-signature": "v0=" + "0" * 64}, 401),
    (pressed("k"), {"x-slack-request-timestamp": "1531420618"}, 401),
    (pressed("k", team={"id": "T0OTHER"}), {}, 403),
    (pressed("k", team=None), {}, 403),
    (b"payload=%7Bbroken", {}, 400),
    (b"payload=[]", {}, 400),
    (b"payload=\xff\xfe", {}, 400),
    (b"x" * (1024 * 1024 + 1), {}, 413),
    (pressed("k", type="view_submission"), {}, 200),
    (pressed("k", "another_button"), {}, 200),
    (pressed("k", actions="none"), {}, 200),
)


async def test_forged_foreign_and_broken_requests_change_nothing(open_breaches: OpenBreaches) -> None:
    service = await open_breaches(policy())
    answers = [await press(service, payload, headers=headers) for payload, headers, _ in REFUSED]
    assert answers == [status for _, _, status in REFUSED]
    assert await service.deliveries() == {}
    assert await service.rows(tables.slack_requests) == []


async def test_guests_of_a_shared_channel_are_told_that_they_may_not(
    open_breaches: OpenBreaches, outside: Outside, now: datetime
) -> None:
    service = await open_breaches(policy())
    async with service.delivering():
        _, key = await told(service, outside, now, minutes=30)
        assert await press(service, pressed(key, user={"team_id": "T0OTHER"})) == 200
        await service.settled(ahead=True)
    assert [word["text"] for word in outside.ephemeral()] == [
        "Only people of this workspace can take a notice on."
    ]
    (row,) = await service.rows(tables.breach_targets)
    assert row["taken_by"] is None
