"""Which scope each method wants: the stand-in refuses without it, our client calls it the credential's fault, and the
manifest asks for exactly these.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from notifier.bot.checks import judge_scopes
from notifier.settings import SLACK_SCOPES, SlackSettings
from notifier.slack.client import Posted, SlackClient, SlackCredentialError, open_slack
from notifier.slack.message import Message
from notifier.slack.reads import audience_of, permalink, user_by_email
from notifier.slack.sender import Sender
from sandbox.slack.workspace import SCOPES, Channel
from sandbox.world import World
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from tests.architecture.tree import ROOT
from tests.support.engine import store_on

OPEN, PRIVATE, NOW = "C0SUPPORTOPS", "C0PRIVATE", datetime.now(UTC)
HI, NAMED, NO_DATA = (
    Message("hi", []),
    Message("hi", [], "Breach bot"),
    {"event_type": "x", "event_payload": {}},
)
Call = Callable[[SlackClient, str], Awaitable[Any]]


async def read_back(slack: SlackClient, channel: str, thread_ts: str | None = None) -> None:
    assert [seen.ts async for seen in slack.history(channel, NOW, thread_ts)] == []


CALLS: list[tuple[str | None, str, Call]] = [
    (None, "auth.test", lambda slack, _: slack.identity()),
    ("chat:write", "chat.postMessage", lambda slack, _: slack.post(OPEN, HI, NO_DATA)),
    ("chat:write.customize", "chat.postMessage", lambda slack, _: slack.post(OPEN, NAMED, NO_DATA)),
    ("chat:write", "chat.update", lambda slack, ts: slack.update(Posted(OPEN, ts), HI)),
    ("chat:write", "chat.postEphemeral", lambda slack, _: slack.post_ephemeral(OPEN, "U0ADA", "hi")),
    ("channels:history", "conversations.history", lambda slack, _: read_back(slack, OPEN)),
    ("groups:history", "conversations.history", lambda slack, _: read_back(slack, PRIVATE)),
    ("channels:history", "conversations.replies", lambda slack, ts: read_back(slack, OPEN, ts)),
    ("channels:read", "conversations.list", lambda slack, _: slack.channel_id("support-ops")),
    ("channels:read", "conversations.info", lambda slack, _: audience_of(slack, OPEN)),
    ("groups:read", "conversations.info", lambda slack, _: audience_of(slack, PRIVATE)),
    (None, "chat.getPermalink", lambda slack, ts: permalink(slack, OPEN, ts)),
    ("users:read.email", "users.lookupByEmail", lambda slack, _: user_by_email(slack, "ada@a.example")),
    ("users:read", "users.info", lambda slack, _: slack.read("users.info", {"user": "U0ADA"})),
    (
        "usergroups:read",
        "usergroups.users.list",
        lambda slack, _: slack.read("usergroups.users.list", {"usergroup": "S0TEAM"}),
    ),
]
HEARD = {"app_mentions:read", "commands"}  # of what Slack sends, not of what it is asked


@pytest.fixture
def space(world: World) -> World:
    """A public and a private channel; somebody is in a user group."""
    world.workspace.channels[PRIVATE] = Channel(PRIVATE, "private", private=True)
    world.workspace.people["U0ADA"].groups.append("S0TEAM")
    return world


@pytest.fixture
async def slack(application: tuple[httpx.ASGITransport, World]) -> AsyncIterator[SlackClient]:
    settings = SlackSettings(base_url="http://sandbox/slack/api", token=SecretStr("xoxb-sandbox"))
    async with open_slack(
        settings, clock=SystemClock(), metrics=Metrics(), transport=application[0]
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("scope", "call"),
    [(scope, call) for scope, _, call in CALLS],
    ids=[f"{method} {scope}" for scope, method, _ in CALLS],
)
async def test_a_method_is_refused_without_its_scope_and_by_no_other(
    space: World, slack: SlackClient, scope: str | None, call: Call
) -> None:
    ts = (await slack.post(OPEN, HI, NO_DATA)).ts
    space.workspace.scopes = [] if scope is None else [each for each in SCOPES if each != scope]
    if scope is None:
        await call(slack, ts)
        return
    with pytest.raises(SlackCredentialError) as refused:
        await call(slack, ts)
    assert (refused.value.code, f"(needed: {scope})" in str(refused.value)) == ("missing_scope", True)
    (warned,) = judge_scopes(await slack.identity(), asked=True)
    assert (warned.verdict in ("failed", "warning"), warned.detail.startswith(f"{scope}: ")) == (True, True)
    space.workspace.scopes = list(SCOPES)
    await call(slack, ts)


async def test_without_the_scope_for_names_a_notice_comes_under_the_bots_own(
    space: World, slack: SlackClient, tmp_path: Path
) -> None:
    space.workspace.scopes = [each for each in SCOPES if each != "chat:write.customize"]
    async with store_on(f"sqlite+aiosqlite:///{tmp_path}/n.db") as store:
        sender = Sender(slack, store)
        posted = [await sender.post(OPEN, NAMED, NO_DATA) for _ in range(2)]
    messages = space.workspace.channels[OPEN].messages
    assert [each["ts"] for each in messages] == [each.ts for each in posted]
    assert [each.get("username") for each in messages] == [None, None]


def test_the_manifest_the_doctor_and_the_methods_name_the_same_scopes(space: World) -> None:
    needed = {scope for scope, *_ in CALLS if scope is not None} | HEARD
    manifest = yaml.safe_load((ROOT / "docs/setup/slack-manifest.yaml").read_text())
    assert sorted(needed) == sorted(SLACK_SCOPES)
    assert sorted(needed) == manifest["oauth_config"]["scopes"]["bot"]
    assert sorted(needed) == space.workspace.scopes
    program = "".join(path.read_text() for path in (ROOT / "services/notifier/src").rglob("*.py"))
    called = set(
        re.findall(r'"/?((?:auth|bots|chat|conversations|files|team|users|usergroups)\.\w[\w.]*)"', program)
    )
    assert called == {method for _, method, _ in CALLS}
    assert called == {route.path.strip("/") for route in space.slack.routes()} - {"{name}"}
