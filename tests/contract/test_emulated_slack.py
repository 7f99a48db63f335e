"""The notifier's Slack client against a Slack that others wrote: the npm package `emulate` (decision 195)."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from notifier.breaches.render import EVENT_TYPE
from notifier.settings import SlackSettings
from notifier.slack.client import (
    Posted,
    SeenMessage,
    SlackChannelError,
    SlackClient,
    SlackCredentialError,
    SlackRefused,
    open_slack,
)
from notifier.slack.message import Json, Message
from notifier.slack.reads import audience_of, user_by_email
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from tests.support import node
from tests.support.processes import ChildProcess, free_port

HERE = Path(__file__).parent / "emulate"
BAR = [
    {
        "color": "#FAB617",
        "fallback": "A notice",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": "*A notice*"}}],
    }
]
NOTICE = Message("A notice", BAR)


def metadata(key: str) -> Json:
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "ticket_id": 5}}


class AsPost(httpx.AsyncHTTPTransport):
    """Reads as forms: Slack takes both, this peer has no routes for GET."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            headers = {"authorization": request.headers["authorization"]}
            headers["content-type"] = "application/x-www-form-urlencoded"
            url, form = request.url.copy_with(query=None), request.url.query
            request = httpx.Request("POST", url, content=form, headers=headers, extensions=request.extensions)
        return await super().handle_async_request(request)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The peer, started once."""
    folder, port = node.installed(HERE), free_port()
    script, seed = folder / "node_modules/emulate/dist/index.js", folder / "seed.yaml"
    command = ["node", str(script), "start", "--service", "slack", "--port", str(port), "--seed", str(seed)]
    url = f"http://127.0.0.1:{port}"
    child = ChildProcess(command, log=tmp_path_factory.mktemp("emulate") / "log", ready_url=f"{url}/")
    child.start()
    yield f"{url}/api"
    child.stop()


@asynccontextmanager
async def client(address: str, token: str = "xoxb-ours") -> AsyncIterator[SlackClient]:
    settings = SlackSettings(base_url=address, token=SecretStr(token))
    async with open_slack(settings, clock=SystemClock(), metrics=Metrics(), transport=AsPost()) as slack:
        yield slack


@pytest.fixture
async def slack(address: str) -> AsyncIterator[SlackClient]:
    async with client(address) as found:
        yield found


async def seen(slack: SlackClient, posted: Posted, thread: str | None = None) -> list[SeenMessage]:
    """What is found of the last minute, the newest first."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    found = [message async for message in slack.history(posted.channel, since, thread)]
    return sorted(found, key=lambda message: message.ts, reverse=True)


async def channel(slack: SlackClient, name: str = "breach") -> str:
    """A channel's id, by the client's own look-up."""
    found = await slack.channel_id(name)
    assert found is not None
    return found


async def test_what_is_posted_is_found_by_its_key_and_edited(slack: SlackClient) -> None:
    posted = await slack.post(await channel(slack), NOTICE, metadata("k1"))
    assert posted.thread_ts is None
    newest = (await seen(slack, posted))[0]
    assert (newest.ts, newest.event_type, newest.payload["key"]) == (posted.ts, EVENT_TYPE, "k1")
    await slack.update(posted, Message("Answered in time", BAR))
    shown = await slack.read("conversations.history", {"channel": posted.channel, "limit": "1"})
    assert shown["messages"][0]["text"] == "Answered in time"
    assert (await seen(slack, posted))[0].payload["key"] == "k1"  # the edit has left it there


async def test_answers_stand_in_the_thread_and_not_in_the_channel(slack: SlackClient) -> None:
    root = await slack.post(await channel(slack), NOTICE, metadata("root"))
    answer = await slack.post(root.channel, NOTICE, metadata("answer"), root.ts)
    assert answer.thread_ts == root.ts
    assert "answer" not in [each.payload["key"] for each in await seen(slack, root)]
    assert "answer" in [each.payload["key"] for each in await seen(slack, root, root.ts)]


async def test_a_key_that_was_never_posted_is_not_found(slack: SlackClient) -> None:
    posted = await slack.post(await channel(slack), NOTICE, metadata("this"))
    assert "that" not in [each.payload["key"] for each in await seen(slack, posted)]
    assert await slack.channel_id("nobody-made-it") is None


async def test_people_and_audiences(slack: SlackClient) -> None:
    assert (await user_by_email(slack, "ada@acme.example") or "").startswith("U")
    assert await user_by_email(slack, "nobody@acme.example") is None
    audience = await audience_of(slack, await channel(slack))
    assert (audience.name, audience.is_private, audience.is_archived) == ("breach", False, False)
    assert audience.is_shared  # it does not say, which counts as yes


Call = Callable[[SlackClient, str], Coroutine[Any, Any, Any]]
REFUSALS: dict[str, tuple[str, Call, type[Exception], str]] = {
    "no such channel": (
        "xoxb-ours",
        lambda slack, _: slack.post("C0NOTHERE", NOTICE, metadata("k")),
        SlackChannelError,
        "channel_not_found",
    ),
    "a message that is not there": (
        "xoxb-ours",
        lambda slack, id_: slack.update(Posted(id_, "1.000001"), NOTICE),
        SlackRefused,
        "message_not_found",
    ),
    "nobody": (
        "xoxb-ours",
        lambda slack, id_: slack.post_ephemeral(id_, "U0NOBODY", "x"),
        SlackRefused,
        "user_not_found",
    ),
    "a scope is missing": (
        "xoxb-writes-only",
        lambda slack, id_: slack.read("conversations.history", {"channel": id_}),
        SlackCredentialError,
        "channels:history",
    ),
}


@pytest.mark.parametrize(("token", "call", "error", "words"), REFUSALS.values(), ids=REFUSALS)
async def test_its_refusals_are_read_as_slacks(
    address: str, slack: SlackClient, token: str, call: Call, error: type[Exception], words: str
) -> None:
    async with client(address, token) as asking:
        with pytest.raises(error, match=words):
            await call(asking, await channel(slack))


async def test_an_archived_channel_is_the_channels_fault(slack: SlackClient) -> None:
    made = await slack.read("conversations.create", {"name": "old-one"})
    await slack.read("conversations.archive", {"channel": made["channel"]["id"]})
    with pytest.raises(SlackChannelError, match="is_archived"):
        await slack.post(made["channel"]["id"], NOTICE, metadata("k"))
