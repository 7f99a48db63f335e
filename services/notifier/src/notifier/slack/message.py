"""What a message to Slack is made of."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """The parts of `chat.postMessage` and `chat.update` that make up what people see.

    `username`: another name for the bot, of a post alone (scope chat:write.customize).
    """

    text: str
    attachments: list[Json]
    username: str | None = None

    @property
    def digest(self) -> str:
        """Equal for messages that look the same."""
        return hashlib.sha256(orjson.dumps([self.text, self.attachments])).hexdigest()
