"""Feed messages: what N5 asks for, and that no text of a stranger does anything but be read."""

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from notifier.feeds.render import FeedLine, Look, render, ticket_url
from notifier.slack.message import Message
from notifier.slack.text import clean, cut, escape, fit, isolate, one_line
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
LOOK = Look("https://example.zendesk.com")
ADA = FeedLine(
    ticket_id="12345",
    at=AT,
    status="open",
    person="Ada Agent",
    title="Runner fails to register",
    organization="Example Ltd",
    comment="Please run it with --debug.",
)
WORDS = [
    *HOSTILE,
    "<!channel> <!here> <!everyone>",
    "<@U012AB3CD> <!subteam^SAZ94GDB8> <#C024BE7LR>",
    "<https://evil.example|your bank>",
    "@here @channel @everyone #general",
    "*bold* _it_ ~no~ `code` > quote",
    "&lt;!channel&gt; &amp;",
    "a|b|c>d<e",
    "zero\x00width\x07bell\x1b[31mred\x7f",
    "new\nline\r\nand\u2028more\u2029lines\x85",
    "\u202egnirts desrever\u202c \u2066isolated\u2069",
    "עברית first, then Latin",
    "half \ud800 surrogate",
    "😀" * 400,
    "<" * 5_000,
    "x" * 65_536,
]


def texts(message: Message) -> list[dict[str, Any]]:
    """Every text object of the message's blocks."""
    found = []
    for attachment in message.attachments:
        for block in attachment["blocks"]:
            found += [*block.get("elements", []), *([block["text"]] if "text" in block else [])]
    return found


def mrkdwn(message: Message) -> list[str]:
    return [message.text, message.attachments[0]["fallback"]] + [
        text["text"] for text in texts(message) if text["type"] == "mrkdwn"
    ]


def without_ours(text: str) -> str:
    """The mrkdwn without the constructs that we build: ticket links and the date."""
    text = re.sub(r"<https://example\.zendesk\.com/agent/tickets/\d+\|([^<>|]*)>", r"\1", text)
    return re.sub(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[\d: -]+UTC>", "", text)


def test_the_message_of_the_handbook() -> None:
    message = render(ADA, LOOK)
    link = "https://example.zendesk.com/agent/tickets/12345"
    assert message.text == (
        f"Open ticket updated by Ada Agent: <{link}|Ticket #12345> Runner fails to register (Example Ltd)"
    )
    assert message.attachments == [
        {
            "color": "#4AACD8",
            "fallback": "Open ticket updated by Ada Agent: Ticket #12345",
            "blocks": [
                context("*Example Ltd* · open · updated by Ada Agent"),
                section(
                    {"type": "mrkdwn", "verbatim": True, "text": f"<{link}|#12345 Runner fails to register>"}
                ),
                section({"type": "plain_text", "emoji": False, "text": "Please run it with --debug."}),
                context(
                    "Zendesk · <!date^1700000000^{date_short_pretty} {time}|2023-11-14 22:13 UTC>",
                ),
            ],
        }
    ]


def context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "verbatim": True, "text": text}]}


def section(text: dict[str, Any]) -> dict[str, Any]:
    return {"type": "section", "text": text}


@for_each(
    "status, shown",
    [
        ("new", "New ticket updated by Ada Agent"),
        ("hold", "On-hold ticket updated by Ada Agent"),
        ("solved", "Solved ticket updated by Ada Agent"),
        (None, "Ticket updated by Ada Agent"),
    ],
)
def test_the_status_is_shown_in_the_words_of_zendesk(status: str | None, shown: str) -> None:
    line = FeedLine("1", AT, status=status, person="Ada Agent")
    assert render(line, LOOK).text == f"{shown}: <https://example.zendesk.com/agent/tickets/1|Ticket #1>"


def test_what_is_not_known_is_left_out() -> None:
    message = render(FeedLine("1", AT), LOOK)
    assert message.text == "Ticket updated: <https://example.zendesk.com/agent/tickets/1|Ticket #1>"
    assert [block["type"] for block in message.attachments[0]["blocks"]] == ["section", "context"]


@for_each("hostile", WORDS)
@for_each("field", ["status", "person", "title", "organization", "comment", "ticket_id"])
def test_hostile_text_stays_text(field: str, hostile: str) -> None:
    message = render(FeedLine(**{"ticket_id": "12345", "at": AT} | {field: hostile}), LOOK)  # type: ignore[arg-type]  # a table of fields
    for text in mrkdwn(message):
        rest = without_ours(text)
        assert "<" not in rest
        assert ">" not in rest
        assert re.sub(r"&(amp|lt|gt);", "", rest).count("&") == 0
        assert "\n" not in rest
    check_limits(message)
    assert dangers(message, allowed=set(), links={"https://example.zendesk.com/agent/tickets"}) == []


@settings(deadline=None)  # a busy machine is no bug
@given(
    st.builds(
        FeedLine,
        ticket_id=st.text(max_size=30),
        at=st.just(AT),
        status=st.none() | st.text(max_size=60),
        person=st.none() | st.text(),
        title=st.none() | st.text(max_size=400),
        organization=st.none() | st.text(max_size=200),
        comment=st.none() | st.text(),
    )
)
def test_any_text_makes_a_message_that_slack_takes(line: FeedLine) -> None:
    message = render(line, LOOK)
    assert all("<" not in without_ours(text) for text in mrkdwn(message))
    check_limits(message)


def check_limits(message: Message) -> None:
    """docs/vendors/slack.md#posting, plus slack_sdk's own validators."""
    shown = texts(message)
    assert 1 <= units(message.text) <= 3_000
    assert all(1 <= units(text["text"]) <= 3_000 for text in shown)
    assert sum(units(text["text"]) for text in shown) <= 9_000
    assert all(text.get("verbatim") is True for text in shown if text["type"] == "mrkdwn")
    assert all(text.get("emoji") is False for text in shown if text["type"] == "plain_text")
    for attachment in message.attachments:
        for block in Block.parse_all(attachment["blocks"]):
            assert block is not None
            block.validate_json()
    "".join(text["text"] for text in shown).encode()  # no half surrogate is left


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_comment_of_64_kib_is_cut_with_an_ellipsis() -> None:
    message = render(
        FeedLine("1", AT, comment="word " * 13_000), Look("https://a.example", comment_length=500)
    )
    shown = texts(message)[1]["text"]
    assert len(shown) <= 500
    assert shown.endswith("…")


@for_each(
    "text, limit, fitted",
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a&b", 7, "a&amp;b"),
        ("a&bc", 7, "a&amp;…"),
        ("a<<<<", 8, "a&lt;…"),
        ("<", 3, "…"),
        ("", 3, ""),
    ],
)
def test_a_cut_never_falls_inside_an_entity(text: str, limit: int, fitted: str) -> None:
    assert fit(text, limit) == fitted


@settings(deadline=None)  # a busy machine is no bug
@given(st.text(), st.integers(min_value=1, max_value=50))
def test_fitted_text_is_within_its_limit(text: str, limit: int) -> None:
    assert len(fit(text, limit)) <= limit
    assert units(cut(text, limit)) <= limit


@for_each(
    "text, cleaned",
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n\n\n\n b", "a\n\nb"),
        ("\x00a\x07\x1b[0m\x9b", "a[0m"),
        ("tab\tstays", "tab\tstays"),
        ("\u202eabc\u202c", "abc"),
        ("עברית", "עברית"),
        ("a\u2028b", "a\nb"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_names_are_one_line_and_right_to_left_ones_are_isolated() -> None:
    assert one_line(" Ada\n\tAgent ") == "Ada Agent"
    assert isolate("Ada") == "Ada"
    assert isolate("עדה") == "\u2068עדה\u2069"
    assert escape("a & <b>") == "a &amp; &lt;b&gt;"


@for_each(
    "base_url, ticket_id, url",
    [
        ("https://a.zendesk.com", "5", "https://a.zendesk.com/agent/tickets/5"),
        ("http://127.0.0.1:9400/zendesk", "5", "http://127.0.0.1:9400/zendesk/agent/tickets/5"),
        ("https://a.example/x|y", "5", "https://a.example/x%7Cy/agent/tickets/5"),
        ("javascript:alert(1)//", "5", None),
        ("https://a.zendesk.com", "5/../../x", None),
        ("https://a.zendesk.com", "\u0665", None),
        ("https://a.zendesk.com", "", None),
    ],
)
def test_only_tickets_at_web_addresses_are_linked(base_url: str, ticket_id: str, url: str | None) -> None:
    assert ticket_url(base_url, ticket_id) == url


def test_equal_looks_have_equal_digests() -> None:
    assert render(ADA, LOOK).digest == render(ADA, LOOK).digest
    assert render(ADA, LOOK).digest != render(FeedLine("12345", AT, status="solved"), LOOK).digest


@for_each("name", ["\u200b", "\u2060\u200e\u3164", "\u00ad\ufeff \u202e"])
def test_a_name_that_nobody_sees_is_no_name(name: str) -> None:
    message = render(FeedLine("5", AT, "open", person=name, organization=name), LOOK)
    assert message.text == render(FeedLine("5", AT, "open"), LOOK).text
    assert one_line(f"Acme{name}Ltd").replace(" ", "") == "AcmeLtd"
