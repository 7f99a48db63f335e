"""What a message to Slack is made of."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """The parts of `chat.postMessage` and `chat.update` that make up what people see."""

    text: str
    attachments: list[Json]

    @property
    def digest(self) -> str:
        """Equal for messages that look the same."""
        return hashlib.sha256(orjson.dumps([self.text, self.attachments])).hexdigest()
