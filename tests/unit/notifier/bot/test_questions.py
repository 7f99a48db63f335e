"""What is asked: read from commands and mentions, and understood."""

from datetime import UTC, datetime
from typing import Any

from notifier.bot.questions import Asked, Question, of_command, of_mention, teams_of, understood
from notifier.bot.tickets import number_of
from notifier.slack.response_url import is_slacks_address
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
EVENT = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.1", "text": "<@U9> views"}
MENTION = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": EVENT}


@for_each(
    "text, asked",
    [
        ("views", Asked("views", "")),
        ("  VIEWS: ", Asked("views", "")),
        ("view All  unsolved\ttickets", Asked("view", "All unsolved tickets")),
        ("<@U0SUPPORTBOT> ticket #12", Asked("ticket", "#12")),
        ("<@U0SUPPORTBOT|bot>   #12", Asked("ticket", "12")),
        ("12", Asked("ticket", "12")),
        ("", Asked("help", "")),
        ("<@U0SUPPORTBOT>", Asked("help", "")),
        ("?", Asked("help", "")),
        ("kpi", Asked("csat", "")),
        ("<!channel> views", Asked("<!channel>", "views")),
        ("Breaching?", Asked("breaching", "")),
        ("#12.", Asked("ticket", "12")),
        ("`view All unsolved`", Asked("view", "All unsolved")),
        ("*views*", Asked("views", "")),
        ("<@U9>\u00a0view\u00a0All\nunsolved", Asked("view", "All unsolved")),
        ("view R&amp;D &lt;2h&gt;", Asked("view", "R&D <2h>")),
        ("view &amp;lt;", Asked("view", "&lt;")),
        ("view \u201cAll unsolved\u201d", Asked("view", "All unsolved")),
        ("view <http://example.com|example.com> \u2014 mail", Asked("view", "example.com \u2014 mail")),
        (
            "view <mailto:a@b.example|a@b.example> <@U7> <#C1|x>",
            Asked("view", "a@b.example <@U7> <#C1|x>"),
        ),
        (
            "ticket <https://a.zendesk.com/agent/tickets/5>",
            Asked("ticket", "https://a.zendesk.com/agent/tickets/5"),
        ),
    ],
)
def test_a_line_is_understood(text: str, asked: Asked) -> None:
    assert understood(text) == asked


@for_each(
    "said, number",
    [
        ("5", "5"),
        ("#5", "5"),
        ("5?", "5"),
        ("https://a.zendesk.com/agent/tickets/5", "5"),
        ("A.zendesk.com/agent/tickets/5/events", "5"),
        ("https://a.zendesk.com/tickets/5?brand=1", "5"),
        ("https://b.zendesk.com/agent/tickets/5", None),
        ("https://a.zendesk.com/agent/users/5", None),
        ("https://a.zendesk.com@evil.example/agent/tickets/5", None),
        ("5 6", None),
        ("\u0665", None),
        ("", None),
    ],
)
def test_a_ticket_is_named_by_its_number_or_its_address(said: str, number: str | None) -> None:
    assert number_of(said, "https://a.zendesk.com") == number


def test_a_command_is_read_and_cut() -> None:
    fields = {"user_id": "U1", "team_id": "T1", "channel_id": "C1", "text": "x" * 9_999, "trigger_id": "1.2"}
    question = of_command(fields, b"", NOW)
    assert (question.id, question.user, question.home, len(question.text)) == ("command:1.2", "U1", "T1", 500)
    assert question.response_url == ""  # which is nobody's address: never answered below a mention instead
    assert Question.of(question.payload()) == question
    assert Question.of(question.payload() | {"correlation_id": "c"}) == question
    assert question.moment == NOW


def test_commands_without_a_trigger_are_told_apart_by_their_bodies() -> None:
    one, other = (of_command({}, body, NOW).id for body in (b"a", b"b"))
    assert one != other
    assert of_command({}, b"a", NOW).id == one


@for_each(
    "event, home, thread",
    [
        ({}, None, "1.1"),
        ({"team": "T1"}, "T1", "1.1"),
        ({"team": "T1", "user_team": "T2"}, "T2", "1.1"),
        ({"thread_ts": "1.0"}, None, "1.0"),
    ],
)
def test_a_mention_is_read(event: dict[str, Any], home: str | None, thread: str) -> None:
    question = of_mention(MENTION | {"event": EVENT | event}, NOW)
    assert question is not None
    assert (question.id, question.home, question.thread) == ("event:Ev1", home, thread)
    assert question.response_url is None


@for_each(
    "payload",
    [
        {},
        {"type": "app_rate_limited"},
        MENTION | {"event": None},
        MENTION | {"event": ["app_mention"]},
        MENTION | {"event_id": None},
        MENTION | {"event_id": 7},
        *(MENTION | {"event": EVENT | wrong} for wrong in ({"bot_id": "B1"}, {"subtype": "x"}, {"user": ""})),
        *(MENTION | {"event": EVENT | wrong} for wrong in ({"type": "message"}, {"channel": {"id": "C1"}})),
    ],
)
def test_what_asks_nothing_is_left(payload: dict[str, Any]) -> None:
    assert of_mention(payload, NOW) is None


@for_each(
    "payload, teams",
    [
        ({"team_id": "T1"}, {"T1"}),
        ({"team_id": "T2", "authorizations": [{"team_id": "T1"}, {"team_id": None}, "T3"]}, {"T1", "T2"}),
        ({"authorizations": "T1"}, set()),
        ({}, set()),
    ],
)
def test_for_which_workspaces_an_event_was_sent(payload: dict[str, Any], teams: set[str]) -> None:
    assert teams_of(payload) == teams


BASE = "https://hooks.slack.com"
GOOD = "https://hooks.slack.com/commands/T1/1/x"


@for_each(
    "url, base, is_slacks",
    [
        (GOOD, BASE, True),
        ("http://127.0.0.1:9400/slack/commands/T1/1", "http://127.0.0.1:9400/slack/commands", True),
        ("http://127.0.0.1:9400/slack/api/auth.test", "http://127.0.0.1:9400/slack/commands", False),
        ("http://127.0.0.1:9400/slack/commands/../api/x", "http://127.0.0.1:9400/slack/commands", False),
        ("http://hooks.slack.com/commands/T1/1/x", BASE, False),
        ("https://hooks.slack.com:444/commands/x", BASE, False),
        ("https://hooks.slack.com.evil.example/commands/x", BASE, False),
        ("https://evil.example/hooks.slack.com/x", BASE, False),
        ("https://hooks.slack.com@evil.example/commands/x", BASE, False),
        ("https://a:b@hooks.slack.com/commands/x", BASE, False),
        ("https://hooks.slack.com\\@evil.example/x", BASE, False),
        ("https://hooks.slack.com/a b", BASE, False),
        ("https://hooks.slack.com/a\r\nHost: evil.example", BASE, False),
        ("https://hooks.slack.com/" + "a" * 600, BASE, False),
        ("https://hooks.sl\u0430ck.com/commands/x", BASE, False),
        ("https://[::1/commands", BASE, False),
        ("//hooks.slack.com/commands", BASE, False),
        ("file:///etc/passwd", BASE, False),
        ("", BASE, False),
    ],
)
def test_answers_go_to_slack_alone(url: str, base: str, is_slacks: bool) -> None:
    assert is_slacks_address(url, base) is is_slacks
