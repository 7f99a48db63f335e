"""Which people a message would really notify: the truth check for injected text (docs/vendors/slack.md#text)."""

import re
from collections.abc import Iterator
from typing import Any

_EXPLICIT = re.compile(r"<(!channel|!here|!everyone|!subteam\^[A-Z0-9]+|@[UW][A-Z0-9]+)(?:\|[^>]*)?>")
_BARE = re.compile(r"(?<![\w@])@(here|channel|everyone)\b")


def mentions_of(message: dict[str, Any]) -> list[str]:
    """Every real mention, as `!channel`, `!here`, `@U…`; in order of appearance, repeats kept.

    Bare `@here` counts where Slack parses names: `mrkdwn` objects without `verbatim`, and `text` sent with
    `link_names` or `parse=full`.
    """
    by_name = bool(message.get("link_names")) or message.get("parse") == "full"
    found = _in_text(str(message.get("text") or ""), by_name)
    for attachment in _objects(message.get("attachments")):
        for key in ("text", "pretext", "title", "author_name", "footer", "fallback"):
            found += _in_text(str(attachment.get(key) or ""), by_name)
        for entry in _objects(attachment.get("fields")):
            found += _in_text(str(entry.get("value") or ""), by_name)
        found += _in_blocks(attachment.get("blocks"))
    return found + _in_blocks(message.get("blocks"))


def _in_blocks(blocks: Any) -> list[str]:
    found: list[str] = []
    for item in _walk(blocks):
        kind = item.get("type")
        if kind == "mrkdwn":
            found += _in_text(str(item.get("text") or ""), not item.get("verbatim", False))
        elif kind == "broadcast":
            found.append(f"!{item.get('range', 'channel')}")
        elif kind == "user" and "user_id" in item:
            found.append(f"@{item['user_id']}")
    return found


def _in_text(text: str, bare: bool) -> list[str]:
    found = _EXPLICIT.findall(text)
    return found + ([f"!{name}" for name in _BARE.findall(text)] if bare else [])


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside blocks, depth first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
