"""Bodies that mean harm or nothing: forms of operators, and what comes with Slack's signature."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from notifier.breaches.render import TAKE
from notifier.slack.signature import signature
from notifier.web import COMMANDS, EVENTS, INTERACTIONS
from supportops.clock import ManualClock
from supportops.web.auth.accounts import Account, write_users
from tests.contract.web.installation import (
    HASHED,
    SLACK_SECRET,
    TEAM,
    Installation,
    chosen,
    form_token,
    log_in,
    url,
)

WORDS = (
    "\x00",
    "a\x00b",
    "\ufffe\uffff",
    "\u202e",
    "'; DROP TABLE tickets; --",
    "<script>",
    "x" * 1900,
    "é" * 300,
)
NUMBERS = ("0", "-1", "1e9", "9" * 30, "١٢")
FORMS = {
    "/sharing/new": {"organization": "21", "ticket": "17", "option": "all_view", "people": ""},
    "/sharing/1": {"do": "undo", "seen": "", "reason": "none"},
    "/login": {"username": "", "password": "x", "next": "/"},
}


async def test_forms_of_sfdc_sync_take_no_harm(installation: Installation, tmp_path: Path) -> None:
    users = tmp_path / "users"
    write_users(users, [Account("anna", "approve", HASHED)])
    async with installation.browser(chosen(users, login_attempts=600)) as browser:
        await log_in(browser, "sfdc-sync", "anna")
        token = form_token((await browser.get(url("sfdc-sync"))).text)

        async def send(path: str, fields: dict[str, str]) -> int:
            reply = await browser.post(url("sfdc-sync", path), data={"form_token": token, **fields})
            assert reply.status_code < 500, (path, fields)
            assert "<script>" not in reply.text
            return reply.status_code

        for number, word in enumerate(WORDS, 1):  # each of a request of its own: it is kept
            assert await send("/sharing/new", FORMS["/sharing/new"] | {"organization": f"{number}"}) == 303
            assert await send(f"/sharing/{number}", {"do": "refuse", "reason": f"because {word}"}) == 303
        for path, fields in FORMS.items():
            for name in (*fields, "form_token"):
                for value in (*WORDS, *NUMBERS):
                    await send(path, fields | {name: value})


def sent(clock: ManualClock, body: bytes, secret: str = SLACK_SECRET) -> dict[str, Any]:
    """A body with the headers that Slack would give it."""
    stamp = str(int(clock.now().timestamp())).encode()
    signed = signature(secret, stamp, body).decode()
    return {
        "content": body,
        "headers": {"x-slack-request-timestamp": stamp.decode(), "x-slack-signature": signed},
    }


def command(**more: str) -> bytes:
    fields = {
        "team_id": TEAM,
        "user_id": "U0ADA",
        "channel_id": "C0SUPPORT",
        "text": "help",
        "trigger_id": "1.2",
    }
    return urlencode(fields | more).encode()


def mention(**more: str) -> bytes:
    event = {"type": "app_mention", "user": "U0ADA", "channel": "C0SUPPORT", "text": "help", "ts": "1.2"}
    envelope = {"type": "event_callback", "team_id": TEAM, "event_id": more.pop("event_id", "Ev1")}
    return json.dumps(envelope | {"event": event | more}).encode()


def click(**more: str) -> bytes:
    action = {"action_id": TAKE, "value": "17:first_reply_time", "action_ts": "1.2"} | more
    user = {"id": more.get("user", "U0ADA"), "team_id": TEAM}
    pressed = {"type": "block_actions", "team": {"id": TEAM}, "user": user, "actions": [action]}
    return urlencode({"payload": json.dumps(pressed | {"channel": {"id": "C0SUPPORT"}})}).encode()


HARMFUL = [
    *(
        (COMMANDS, command(**{name: word}))
        for name in ("user_id", "text", "trigger_id", "channel_id")
        for word in WORDS
    ),
    *(
        (EVENTS, mention(**{name: word}))
        for name in ("user", "text", "event_id", "channel")
        for word in WORDS
    ),
    *(
        (INTERACTIONS, click(**{name: word}))
        for name in ("user", "value", "action_ts", "action_id")
        for word in WORDS
    ),
]
NONSENSE = [
    *(
        (path, body)
        for path in (EVENTS, INTERACTIONS)
        for body in (b"", b"[]", b"{", b"17", b"\xff", b'{"a":"\\ud800"}')
    ),
    *((INTERACTIONS, b"payload=" + body) for body in (b"", b"[]", b"%00", b"%7B", b"%ff", b"x" * 100_000)),
    (COMMANDS, b"\xff=%ff&%ff"),
    (COMMANDS, b"&".join(b"a=1" for _ in range(1000))),
]


async def test_what_slack_signs_is_taken_or_refused_whatever_stands_in_it(
    installation: Installation, clock: ManualClock
) -> None:
    async with installation.browser(chosen()) as browser:
        for path, body in HARMFUL:
            reply = await browser.post(url("notifier", path), **sent(clock, body))
            assert reply.status_code == 200, (path, body, reply.text)
        for path, body in NONSENSE:
            reply = await browser.post(url("notifier", path), **sent(clock, body))
            assert reply.status_code in (400, 403), (path, body, reply.text)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_slack_does_not_sign_is_refused_alike(
    installation: Installation, clock: ManualClock
) -> None:
    async with installation.browser(chosen()) as browser:

        async def refused(path: str, **request: Any) -> None:
            reply: httpx.Response = await browser.post(url("notifier", path), **request)
            assert reply.status_code == 401, request
            assert reply.headers["x-content-type-options"] == "nosniff"

        for path, body in ((COMMANDS, command()), (EVENTS, mention()), (INTERACTIONS, click())):
            right = sent(clock, body)
            await refused(path, content=body)
            await refused(path, **sent(clock, body, "the-secret-of-somebody-else-0123"))
            await refused(path, content=body + b"x", headers=right["headers"])
            for name, value in right["headers"].items():
                for wrong in ("", "0", "-1", "9" * 40, value + "0", "v1" + value[2:], "é"):
                    await refused(path, content=body, headers=right["headers"] | {name: wrong.encode()})
