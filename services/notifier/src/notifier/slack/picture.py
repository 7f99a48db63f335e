"""A message as text that looks like it: for terminals, documents and reviews. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from notifier.slack.message import Json, Message

_LINK = re.compile(r"<([^<>|]+)\|([^<>]*)>")
_DATE = re.compile(r"<!date\^[^|<>]*\|([^<>]*)>")
_MENTION = re.compile(r"<(?:!subteam\^|[!@])([A-Za-z0-9]+)>")


def picture(message: Message) -> str:
    """The message line by line; an attachment has a bar with its colour at the left."""
    lines = [_plain(message.text)]
    for attachment in message.attachments:
        lines.append(f"  ▌ {attachment.get('color', '')}")
        lines += [f"  ▌ {line}" for line in _lines(attachment.get("blocks") or [])]
    return "\n".join(lines)


def _lines(blocks: list[Json]) -> Iterator[str]:
    for block in blocks:
        for text in (*block.get("elements", []), block.get("text"), *block.get("fields", [])):
            if text:
                shown = _plain(text["text"]) if text["type"] == "mrkdwn" else text["text"]
                yield from shown.splitlines()


def _plain(text: str) -> str:
    """mrkdwn as people read it: links as their words and address, mentions with @, entities as characters."""
    shown = _DATE.sub(r"\1", text)
    shown = _MENTION.sub(r"@\1", _LINK.sub(r"\2 [\1]", shown))
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def as_json(feed: str, channel: str, message: Message) -> dict[str, Any]:
    """What would be sent, without the bot's credential and metadata."""
    body = {"channel": channel, "text": message.text, "attachments": message.attachments}
    return {"feed": feed, "message": body, "picture": picture(message)}
