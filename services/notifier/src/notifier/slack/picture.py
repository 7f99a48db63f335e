"""A message as text that looks like it: for terminals, documents and reviews. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from notifier.slack.message import Json, Message

_LINK = re.compile(r"<([^<>|]+)\|([^<>]*)>")
_DATE = re.compile(r"<!date\^[^|<>]*\|([^<>]*)>")
_MENTION = re.compile(r"<(?:!subteam\^|[!@])([A-Za-z0-9]+)>")


def picture(message: Message) -> str:
    """The message line by line, below the name that it is posted under where that is not the bot's own; an attachment
    has a bar with its colour at the left.
    """
    lines = [_plain(message.username)] if message.username else []
    lines.append(_plain(message.text))
    for attachment in message.attachments:
        lines.append(f"  ▌ {attachment.get('color', '')}")
        lines += [f"  ▌ {line}" for line in _lines(attachment.get("blocks") or [])]
    return "\n".join(lines)


def _lines(blocks: list[Json]) -> Iterator[str]:
    for block in blocks:
        for text in (*block.get("elements", []), block.get("text"), *block.get("fields", [])):
            if text:
                yield from _shown(text).splitlines()


def _shown(element: Json) -> str:
    """A text, or a button in brackets."""
    if element["type"] == "button":
        return f"[ {element['text']['text']} ]"
    text: str = element["text"]
    return _plain(text) if element["type"] == "mrkdwn" else text


def _plain(text: str) -> str:
    """mrkdwn as people read it: links as their words and address, mentions with @, entities as characters."""
    shown = _DATE.sub(r"\1", text)
    shown = _MENTION.sub(r"@\1", _LINK.sub(r"\2 [\1]", shown))
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def as_json(channel: str, message: Message) -> dict[str, Any]:
    """What would be sent, without the bot's credential and metadata; and how it looks."""
    body = {"channel": channel, "text": message.text, "attachments": message.attachments}
    if message.username is not None:
        body["username"] = message.username
    return {"message": body, "picture": picture(message)}
