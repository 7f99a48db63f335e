"""What strangers write into tickets, and an oracle that tells whether a message shows more of it than text."""

import re
from collections.abc import Iterator
from typing import Any

from notifier.slack.message import Message
from sandbox.slack.mentions import mentions_of
from sandbox.slack.rules import Refused, check_message

_CONSTRUCTS = (
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!channel|channel>",
    "<@U012AB3CD>",
    "<@W012AB3CD|ada>",
    "<!subteam^SAZ94GDB8>",
    "<!subteam^SAZ94GDB8|@team>",
    "<#C024BE7LR>",
    "<#C024BE7LR|general>",
    "<!date^1392734382^{date}|today>",
    "<!date^1392734382^{date}^https://evil.example|today>",
    "<https://evil.example|your bank>",
    "<https://evil.example>",
    "<mailto:a@evil.example|write us>",
    "<javascript:alert(1)|x>",
    "<slack://open?team=T1|x>",
    "<tel:+49|call>",
)
_BARE = (
    "@here",
    "@channel",
    "@everyone",
    "#general",
    "https://evil.example/x",
    "evil.example",
    "a@evil.example",
)
_BROKEN = (
    "<",
    ">",
    "<!",
    "<!here",
    "here>",
    "<<!here>>",
    "<!here\n>",
    "<!he\u200bre>",
    "<\x00!here>",
    "&lt;!here&gt;",
    "&amp;lt;!here&amp;gt;",
    "&",
    "&am",
    "&#60;!here&#62;",
    "|",
    "a|b|c>d<e",
    "x|<!here>",
    "\uff1c!here\uff1e",
)
_TEMPLATES = (
    "{{ ticket }}",
    "{{ 7*7 }}",
    "{% raw %}",
    "{% for x in range(10**9) %}",
    "{{ ''.__class__.__mro__ }}",
    "{# gone #}",
    "}}{{",
    "${7*7} #{7*7} %(x)s {x}",
)
_LOOKS = (
    "*bold* _it_ ~no~ `code`",
    "```\n<!here>\n```",
    "> quoted\n>>> all of it",
    "* one\n* two\n1. three",
    ":rotating_light: :siren:",
    "Slackbot: you have been mentioned",
    "/invite @ada",
    '{"type":"broadcast","range":"here"}',
)
_LETTERS = (
    "zero\x00width\x07bell\x1b[31mred\x7f",
    "new\nline\r\nand\u2028more\u2029lines\x85",
    "\u202egnirts desrever\u202c \u2066isolated\u2069",
    "עברית first, then Latin <!here>",
    "العربية <@U012AB3CD> \u2067x",
    "half \ud800 surrogate",
    "\ufeff\ufffe\uffff",
    "a\u0301\u0301\u0301\u0301" * 50,
    "😀" * 400,
    "👩‍👩‍👧‍👦" * 100,
    "<" * 5_000,
    "&" * 5_000,
    "x" * 65_536,
    "a b\n" * 4_000,
    "|" * 400,
    " ",
    "\n\n\n",
    "\t",
    "..",
    "\\",
    "\"quoted\" and 'quoted'",
    "%3C!here%3E",
    "<!here>" * 500,
)
HOSTILE = (*_CONSTRUCTS, *_BARE, *_BROKEN, *_TEMPLATES, *_LOOKS, *_LETTERS)

_CONSTRUCT = re.compile(r"<([^<>]*)>")
_DATE = re.compile(r"!date\^\d+\^\{date_short_pretty\} \{time\}\|[\d: -]+UTC")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff]")


def dangers(message: Message, *, allowed: set[str], links: set[str]) -> list[str]:
    """What of a message is more than text, beside the `allowed` mentions and links that begin with one of `links`."""
    body = {"channel": "C1", "text": message.text, "attachments": message.attachments}
    found = [f"mentions {each}" for each in mentions_of(body) if each not in allowed]
    try:
        check_message(body)
    except Refused as refused:
        found.append(f"Slack refuses it: {refused}")
    for text, kind, verbatim in texts_of(message):
        if _CONTROLS.search(text):
            found.append(f"a control character in {text[:60]!r}")
        if kind == "mrkdwn":
            found += _in_mrkdwn(text, allowed, links)
            found += [] if verbatim else [f"is parsed again: {text[:60]!r}"]
    return found


def texts_of(message: Message) -> Iterator[tuple[str, str, bool]]:
    """Each text that people see: the text, its kind, and whether Slack leaves bare names in it alone."""
    yield message.text, "mrkdwn", True
    for attachment in message.attachments:
        yield attachment["fallback"], "mrkdwn", True
        for item in _walk(attachment.get("blocks")):
            if item.get("type") in ("mrkdwn", "plain_text"):
                yield item["text"], item["type"], item.get("verbatim", False)


def _in_mrkdwn(text: str, allowed: set[str], links: set[str]) -> list[str]:
    wrong = []
    for inside in _CONSTRUCT.findall(text):
        is_link = any(inside == link or inside.startswith((link + "|", link + "/")) for link in links)
        if not (is_link or inside in allowed or _DATE.fullmatch(inside)):
            wrong.append(f"a construct: <{inside[:60]}>")
    rest = _CONSTRUCT.sub("", text)
    wrong += [f"a bare {sign} in {rest[:60]!r}" for sign in "<>" if sign in rest]
    wrong += ["an ampersand that is no entity"] if re.search(r"&(?!(amp|lt|gt);)", text) else []
    return wrong


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)
