"""What a breach notice looks like, and that nothing in a ticket can break it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.models.blocks import Block

from notifier.breaches.render import GIVE_BACK, TAKE, NoticeFacts, render
from notifier.breaches.targets import TargetState
from notifier.policy.breaches import BreachRule
from tests.support.for_each import for_each
from tests.support.hostile import TITLES
from tests.unit.notifier.hostile import HOSTILE, dangers

BREACH = datetime(2026, 3, 2, 11, tzinfo=UTC)
TARGET = "7:first_reply_time:20260302T110000Z"
RULE = BreachRule.model_validate(
    {"name": "a", "channel": "C1", "title": "[SLAH] Notice", "colour": "#78A300"}
)
WHEN = "<!date^1772449200^{date_short_pretty} {time}|2026-03-02 11:00 UTC>"


def facts(**values: Any) -> NoticeFacts:
    usual: dict[str, Any] = {"ticket_id": "7", "subject": "Runner", "metric": "first_reply_time"}
    return NoticeFacts(**(usual | {"breach_at": BREACH, "target": TARGET} | values))


def test_a_notice() -> None:
    message = render(facts(), RULE, "https://a.zendesk.com")
    url = "https://a.zendesk.com/agent/tickets/7"
    assert message.text == f"First reply time breaches {WHEN}: <{url}|Ticket #7> Runner"
    assert message.username == "[SLAH] Notice"
    (attachment,) = message.attachments
    assert attachment["color"] == "#78A300"
    title, state, actions = attachment["blocks"]
    assert title["text"]["text"] == f"<{url}|#7 Runner>"
    assert state["elements"][0]["text"] == "Open"
    (button,) = actions["elements"]
    assert (button["action_id"], button["value"]) == (TAKE, TARGET)


TAKEN: dict[str, Any] = {"taken_by": "U1", "taken_until": BREACH - timedelta(hours=1)}


@for_each(
    "values, state, button",
    [
        ({"state": TargetState.ANSWERED}, "Answered in time", None),
        ({"state": TargetState.BREACHED}, "Breached", TAKE),
        ({"state": TargetState.MOVED} | TAKEN, "The target has another time now", None),
        (TAKEN, "Open · taken by <@U1> until <!date^1772445600^", GIVE_BACK),
        ({"unverified": True}, "Open · not read afresh: Zendesk did not answer", TAKE),
    ],
)
def test_it_shows_how_its_target_stands(values: dict[str, Any], state: str, button: str | None) -> None:
    (attachment,) = render(facts(**values), RULE, "https://a.zendesk.com").attachments
    shown = attachment["blocks"][1]["elements"][0]["text"]
    assert shown.startswith(state)
    assert ("taken by" in shown) is (button == GIVE_BACK), (
        "who had a target that is over is nobody's business"
    )
    assert [each["elements"][0]["action_id"] for each in attachment["blocks"][2:]] == (
        [button] if button else []
    )


def test_who_is_called_stands_in_front() -> None:
    called = {"mention": ["here", "U12345", "W12345", "S12345"]}  # of a grid people's ids begin with W
    calling = BreachRule.model_validate(RULE.model_dump() | called)
    text = render(facts(), calling, "https://a.zendesk.com").text
    assert text.startswith("<!here> <@U12345> <@W12345> <!subteam^S12345> First reply time")


WORDS = [
    *TITLES,
    *HOSTILE,
    "<!channel> <!here|x> <!everyone>",
    "<@U0ADA> <#C0SELFMANAGED> <!subteam^S1>",
    "&lt;!here&gt; &amp;lt;!here&amp;gt;",
    "@here @channel @everyone",
    "<https://evil.example|Ticket #7>",
    "> quoted *bold* _it_ ~gone~ `code` ```block```",
    "a|b>c<d|e",
    "x" * 200_000,
    "<" * 3_000,
    "\u0000\u0007\ud800 odd",
    "\u202egnp.exe\u202c \u05d0\u05d1",
    "<!date^1^{date}|x>",
    "👩‍👩‍👧" * 400,
    "\n\n\n",
    "",
]


@for_each("words", WORDS)
def test_hostile_words_call_nobody_and_break_nothing(words: str) -> None:
    message = render(facts(subject=words, metric=words), RULE, "https://a.zendesk.com")
    (attachment,) = message.attachments
    assert dangers(message, allowed=set(), links={"https://a.zendesk.com/agent/tickets/7"}) == []
    for block in Block.parse_all(attachment["blocks"]):
        block.validate_json()
    assert message.text.count("<") == message.text.count(">") == 2
    assert len(message.text) < 3_000
