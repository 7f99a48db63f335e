"""What Slack refuses: the limits of docs/vendors/slack.md#limits, answered as `ok: false` with HTTP 200."""

import re
from typing import Any

MAX_TEXT = 40_000
MAX_UPDATE_TEXT = 4_000
MAX_BLOCKS = 50
MAX_ATTACHMENTS = 100
MAX_BLOCK_TEXT = 10_000  # the sum over all blocks: seen refused at 11,300 and accepted at 9,597
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_]+")


class Refused(Exception):
    """An `error` value of the Web API; `more`: what the answer says beside it."""

    def __init__(self, code: str, **more: str) -> None:
        super().__init__(code)
        self.more = more


def check_message(message: dict[str, Any], *, update: bool = False) -> list[str]:
    """Raise Refused, or cut what Slack would cut in place; returns the warnings."""
    text = message.get("text") or ""
    if message.get("markdown_text") and (text or message.get("blocks")):
        raise Refused("markdown_text_conflict")
    if not (text or message.get("blocks") or message.get("attachments") or message.get("markdown_text")):
        raise Refused("no_text")
    if update and len(text) > MAX_UPDATE_TEXT:
        raise Refused("msg_too_long")
    _check_blocks(message.get("blocks"))
    _check_attachments(message.get("attachments"))
    _check_metadata(message.get("metadata"))
    if len(text) > MAX_TEXT:
        message["text"] = text[:MAX_TEXT]
        return ["message_truncated"]
    return []


def _check_attachments(attachments: Any) -> None:
    if attachments is None:
        return
    if not isinstance(attachments, list) or not all(isinstance(a, dict) for a in attachments):
        raise Refused("invalid_attachments")
    if len(attachments) > MAX_ATTACHMENTS:
        raise Refused("too_many_attachments")
    for attachment in attachments:
        _check_blocks(attachment.get("blocks"))
        if len(str(attachment.get("footer") or "")) > 300:
            raise Refused("invalid_attachments")


def _check_blocks(blocks: Any) -> None:
    if blocks is None:
        return
    if not isinstance(blocks, list) or not all(isinstance(b, dict) and b.get("type") for b in blocks):
        raise Refused("invalid_blocks_format")
    if len(blocks) > MAX_BLOCKS:
        raise Refused("invalid_blocks")
    total = sum(_check_block(block) for block in blocks)
    if total > MAX_BLOCK_TEXT:
        raise Refused("msg_blocks_too_long")


def _check_block(block: dict[str, Any]) -> int:
    """Characters of text in the block."""
    kind = block["type"]
    fields, elements = block.get("fields") or [], block.get("elements") or []
    if len(str(block.get("block_id") or "")) > 255:
        raise Refused("invalid_blocks")
    if kind == "header":
        return _text(block.get("text"), 150, ("plain_text",))
    if kind == "section":
        if len(fields) > 10 or not (fields or block.get("text")):
            raise Refused("invalid_blocks")
        return sum(_text(f, 2000) for f in fields) + (_text(block["text"]) if block.get("text") else 0)
    if kind == "context":
        if not 1 <= len(elements) <= 10:
            raise Refused("invalid_blocks")
        return sum(_text(e) for e in elements if e.get("type") in ("mrkdwn", "plain_text"))
    if kind == "actions" and len(elements) > 25:
        raise Refused("invalid_blocks")
    return 0


def _text(value: Any, longest: int = 3000, kinds: tuple[str, ...] = ("mrkdwn", "plain_text")) -> int:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        raise Refused("invalid_blocks")
    text = value.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= longest:
        raise Refused("invalid_blocks")
    if "verbatim" in value and value["type"] != "mrkdwn":
        raise Refused("invalid_blocks")
    if "emoji" in value and value["type"] != "plain_text":
        raise Refused("invalid_blocks")
    return len(text)


def _check_metadata(metadata: Any) -> None:
    """`event_type` of letters, digits and underscores; a flat `event_payload`, one nested level allowed."""
    if metadata in (None, {}):
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise Refused("invalid_metadata_format")
    if not _EVENT_TYPE.fullmatch(str(metadata.get("event_type", ""))):
        raise Refused("invalid_metadata_schema")
    for value in metadata["event_payload"].values():
        inner = (
            list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
        )
        if any(isinstance(item, dict | list) for item in inner):
            raise Refused("invalid_metadata_schema")
