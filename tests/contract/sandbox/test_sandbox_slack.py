"""The Slack stand-in, driven by slack_sdk over a real connection (docs/vendors/slack.md)."""

from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.slack.mentions import mentions_of
from sandbox.slack.workspace import TEAM_ID as TEAM
from sandbox.slack.workspace import Pace
from sandbox.world import World
from tests.contract.sandbox.fakes import FakeClock
from tests.support.for_each import for_each
from tests.support.sandbox import SLACK_LOGIN, SandboxProcess

CHANNEL = "C0SELFMANAGED"


def client(sandbox: SandboxProcess, token: str = "xoxb-sandbox") -> WebClient:
    return WebClient(token, base_url=f"{sandbox.url}/slack/api", retry_handlers=[])


@pytest.fixture
def slack(sandbox: SandboxProcess) -> WebClient:
    return client(sandbox)


def error_of(refused: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(refused.value.response["error"])


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, **more}}


def test_post_and_read_back_with_metadata(slack: WebClient) -> None:
    metadata = {"event_type": "ticket_feed", "event_payload": {"key": "k1", "ticket_id": 5}}
    posted = slack.chat_postMessage(channel=CHANNEL, text="hello", metadata=metadata)
    assert (posted["ok"], posted["channel"]) == (True, CHANNEL)
    bare = slack.conversations_history(channel=CHANNEL)["messages"][0]
    assert bare["metadata"] == {"event_type": "ticket_feed"}
    (message,) = slack.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert (message["metadata"], message["ts"], message["app_id"]) == (metadata, posted["ts"], "A0SUPPORTOPS")


def test_history_pages_and_bounds(slack: WebClient, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", slack={"per_second": None})
    stamps = [slack.chat_postMessage(channel=CHANNEL, text=f"m{n}")["ts"] for n in range(5)]
    assert sorted(stamps) == stamps
    page = slack.conversations_history(channel=CHANNEL, limit=2)
    assert [m["text"] for m in page["messages"]] == ["m4", "m3"]
    cursor = page["response_metadata"]["next_cursor"]
    after = slack.conversations_history(channel=CHANNEL, limit=2, cursor=cursor)
    assert [m["text"] for m in after["messages"]] == ["m2", "m1"]
    since = slack.conversations_history(channel=CHANNEL, oldest=stamps[2])
    assert [m["text"] for m in since["messages"]] == ["m4", "m3"]
    whole = slack.conversations_history(channel=CHANNEL, oldest=stamps[2], inclusive=True)
    assert len(whole["messages"]) == 3


def test_threads_are_read_by_replies(slack: WebClient) -> None:
    parent = slack.chat_postMessage(channel=CHANNEL, text="parent")["ts"]
    slack.chat_postMessage(channel=CHANNEL, text="child", thread_ts=parent)
    assert [m["text"] for m in slack.conversations_history(channel=CHANNEL)["messages"]] == ["parent"]
    thread = slack.conversations_replies(channel=CHANNEL, ts=parent)["messages"]
    assert [m["text"] for m in thread] == ["parent", "child"]
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel=CHANNEL, text="orphan", thread_ts="1.2")
    assert error_of(refused) == "cannot_reply_to_message"


def test_update_keeps_metadata_unless_cleared(slack: WebClient, sandbox: SandboxProcess) -> None:
    metadata = {"event_type": "x", "event_payload": {"key": "k"}}
    ts = str(slack.chat_postMessage(channel=CHANNEL, text="one", metadata=metadata)["ts"])
    slack.chat_update(channel=CHANNEL, ts=ts, text="two")
    (kept,) = slack.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert (kept["text"], kept["metadata"]) == ("two", metadata)
    slack.chat_update(channel=CHANNEL, ts=ts, text="three", metadata={})
    (cleared,) = slack.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert "metadata" not in cleared
    assert [entry["kind"] for entry in sandbox.ledger("slack")] == [
        "slack.message",
        "slack.update",
        "slack.update",
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"text": "x", "blocks": [{"no": "type"}]}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("y" * 3001)]}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("y", emoji=True)]}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("y" * 2800)] * 4}, "msg_blocks_too_long"),
        (
            {"text": "x", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "y"}}]},
            "invalid_blocks",
        ),
        ({"text": "x", "attachments": [{"text": "y"}] * 101}, "too_many_attachments"),
        ({"text": "x", "metadata": {"event_type": "a b", "event_payload": {}}}, "invalid_metadata_schema"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_format"),
        (
            {"text": "x", "metadata": {"event_type": "a", "event_payload": {"b": {"c": {"d": 1}}}}},
            "invalid_metadata_schema",
        ),
        ({"text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
    ],
)
def test_refusals_are_http_200(slack: WebClient, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        slack.api_call("chat.postMessage", json={"channel": CHANNEL, **arguments})
    assert (error_of(refused), refused.value.response.status_code) == (error, 200)


def test_long_texts(slack: WebClient) -> None:
    posted = slack.chat_postMessage(channel=CHANNEL, text="x" * 40_001)
    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    with pytest.raises(SlackApiError) as refused:
        slack.chat_update(channel=CHANNEL, ts=str(posted["ts"]), text="x" * 4_001)
    assert error_of(refused) == "msg_too_long"


def test_credentials(sandbox: SandboxProcess) -> None:
    with pytest.raises(SlackApiError) as refused:
        client(sandbox, "xoxb-wrong").auth_test()
    assert error_of(refused) == "invalid_auth"
    assert sandbox.http.post("/slack/api/auth.test").json() == {"ok": False, "error": "not_authed"}
    assert client(sandbox).auth_test()["user_id"] == "U0SUPPORTBOT"
    assert (
        sandbox.http.post("/slack/api/api.nonsense", headers=SLACK_LOGIN).json()["error"] == "unknown_method"
    )


def test_form_bodies_with_json_inside(sandbox: SandboxProcess) -> None:
    form = {"channel": "#zd-self-managed-feed", "text": "x", "blocks": '[{"type": "divider"}]'}
    answer = sandbox.http.post("/slack/api/chat.postMessage", data=form, headers=SLACK_LOGIN).json()
    assert answer["message"]["blocks"] == [{"type": "divider"}]
    form["blocks"] = "["
    wrong = sandbox.http.post("/slack/api/chat.postMessage", data=form, headers=SLACK_LOGIN).json()
    assert wrong["error"] == "invalid_blocks"


def test_people_by_email(slack: WebClient) -> None:
    assert slack.users_lookupByEmail(email="TAM@support.example")["user"]["id"] == "U0TAM"
    with pytest.raises(SlackApiError) as refused:
        slack.users_lookupByEmail(email="nobody@support.example")
    assert error_of(refused) == "users_not_found"


def test_membership_and_strict_channels(slack: WebClient, sandbox: SandboxProcess) -> None:
    sandbox.post("slack/channels", id="CPRIVATE", name="private", member=False)
    sandbox.post("slack/channels", id="COLD", name="old", archived=True)
    for channel, call, error in (
        ("CPRIVATE", slack.conversations_history, "not_in_channel"),
        ("COLD", lambda channel: slack.chat_postMessage(channel=channel, text="x"), "is_archived"),
    ):
        with pytest.raises(SlackApiError) as refused:
            call(channel=channel)
        assert error_of(refused) == error
    assert slack.chat_postMessage(channel="C0BENCH17", text="x")["ok"]
    sandbox.post("limits", slack={"auto_channels": False})
    with pytest.raises(SlackApiError) as unknown:
        slack.chat_postMessage(channel="C0BENCH18", text="x")
    assert error_of(unknown) == "channel_not_found"


def test_a_burst_over_the_pace_is_429(slack: WebClient, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", slack={"per_second": 0.001, "burst": 2})
    for _ in range(2):
        slack.chat_postMessage(channel=CHANNEL, text="x")
    with pytest.raises(SlackApiError) as limited:
        slack.chat_postMessage(channel=CHANNEL, text="x")
    response = limited.value.response
    assert (response.status_code, response["error"]) == (429, "ratelimited")
    assert int(response.headers["Retry-After"]) > 900
    assert slack.chat_postMessage(channel="C0GITLABCOM", text="other channels go on")["ok"]
    assert len(sandbox.ledger("slack.message")) == 3


def test_pace_refills(fake_clock: FakeClock) -> None:
    pace = Pace(fake_clock, 1.0, 2)
    assert [pace.take("a"), pace.take("a"), pace.take("a")] == [None, None, 1]
    fake_clock.advance(1)
    assert [pace.take("a"), pace.take("a")] == [None, 1]


@for_each(
    "message, expected",
    [
        ({"text": "a <!channel> b <@U0ADA|ada> <!subteam^S1|x>"}, ["!channel", "@U0ADA", "!subteam^S1"]),
        ({"text": "a &lt;!channel&gt; @here"}, []),
        ({"text": "@here", "link_names": True}, ["!here"]),
        ({"text": "mail@here.example", "link_names": True}, []),
        ({"text": "x", "blocks": [section("@channel")]}, ["!channel"]),
        ({"text": "x", "blocks": [section("@channel <!here>", verbatim=True)]}, ["!here"]),
        (
            {
                "text": "x",
                "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "<!here> @here"}}],
            },
            [],
        ),
        (
            {"text": "x", "attachments": [{"text": "<!everyone>", "fields": [{"value": "<@U1>"}]}]},
            ["!everyone", "@U1"],
        ),
        ({"text": "x", "attachments": [{"blocks": [section("@everyone")]}]}, ["!everyone"]),
        (
            {
                "text": "x",
                "blocks": [{"type": "rich_text", "elements": [{"type": "broadcast", "range": "here"}]}],
            },
            ["!here"],
        ),
    ],
)
def test_real_mentions_are_seen(message: dict[str, Any], expected: list[str]) -> None:
    assert mentions_of(message) == expected


def test_mentions_are_in_the_ledger(slack: WebClient, sandbox: SandboxProcess) -> None:
    slack.chat_postMessage(channel=CHANNEL, text="injected <!channel>")
    assert sandbox.ledger("slack.message")[0]["mentions"] == ["!channel"]


async def test_a_pressed_button_is_told_with_its_message(client: httpx.AsyncClient, world: World) -> None:
    buttons = [{"type": "button", "action_id": each, "value": f"v-{each}"} for each in ("take", "leave")]
    attachment = {"blocks": [{"type": "actions", "elements": buttons}]}
    posted = world.slack.post_message({"channel": CHANNEL, "text": "Who?", "attachments": [attachment]})
    first = world.app_requests.pressed(ts=posted["ts"], channel=CHANNEL)
    second = world.app_requests.pressed(ts=posted["ts"], action_id="leave", user="U0TAM", channel=CHANNEL)
    assert first is not None
    assert second is not None
    assert (first["type"], first["team"]["id"], first["user"]["team_id"]) == ("block_actions", TEAM, TEAM)
    assert (first["channel"]["id"], first["container"]["message_ts"]) == (CHANNEL, posted["ts"])
    assert first["message"]["text"] == "Who?"
    assert [(each["action_id"], each["value"]) for each in first["actions"]] == [("take", "v-take")]
    assert [(second["user"]["id"], each["action_id"]) for each in second["actions"]] == [("U0TAM", "leave")]
    assert first["actions"][0]["action_ts"] < second["actions"][0]["action_ts"]
    plain = world.slack.post_message({"channel": CHANNEL, "text": "No button"})
    for ts in (plain["ts"], "1.1"):
        asked = {"url": "http://127.0.0.1:1", "channel": CHANNEL, "ts": ts}
        assert (await client.post("/control/slack/press", json=asked)).status_code == 404
