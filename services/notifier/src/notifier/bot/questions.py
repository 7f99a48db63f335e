"""What somebody asks: read from a slash command or a mention, and understood as a command. Pure.

Nothing of it is trusted: it is cleaned and cut here (a database takes no NUL), and every word that an answer repeats is
escaped there.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

import msgspec

from notifier.slack.text import clean

LONGEST_TEXT = 500
LONGEST_WORD = 300
_LINK = re.compile(r"<(?:mailto:|tel:|(?=https?://))([^<>|]+)(?:\|([^<>]*))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # the last one last
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_LEADING_MENTION = re.compile(r"^\s*<@[UW][A-Z0-9]+(?:\|[^>]*)?>\s*")
COMMANDS = ("views", "view", "ticket", "breaching", "csat", "mine", "help")
_ALIASES = {"tickets": "mine", "breaches": "breaching", "kpi": "csat", "": "help", "?": "help"}


@dataclass(frozen=True)
class Question:
    """One question. `id`: equal for what Slack, or somebody else, sends again.

    `home`: the workspace of who asks, None when it is not told. `response_url`: where a slash command is answered; a
    mention is answered in the `thread`.
    """

    id: str
    user: str
    home: str | None
    channel: str
    text: str
    asked_at: str
    response_url: str | None = None
    thread: str | None = None

    def payload(self) -> dict[str, Any]:
        """As it stands in the row of its delivery."""
        return asdict(self)

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """The same read back."""
        return msgspec.convert(payload, cls)

    @property
    def moment(self) -> datetime:
        """When it came."""
        return datetime.fromisoformat(self.asked_at)


@dataclass(frozen=True)
class Asked:
    """A question, understood. An unknown `command` is kept as it was typed."""

    command: str
    argument: str

    @property
    def is_known(self) -> bool:
        """Whether there is such a command."""
        return self.command in COMMANDS

    @property
    def needs_leave(self) -> bool:
        """Whether the rules say who may ask it; what is no command is answered with the help."""
        return self.is_known and self.command != "help"


def understood(text: str) -> Asked:
    """The command and the rest of a line; `help` for nothing. `ticket #123` and `#123` are the same."""
    words = typed(_LEADING_MENTION.sub("", text)).split()
    command, rest = words[0] if words else "", words[1:]
    name = command.lower().strip("`*_").rstrip(":?!.,")
    if re.fullmatch(r"#?[0-9]{1,20}", name) and not rest:
        return Asked("ticket", name.removeprefix("#"))
    return Asked(_ALIASES.get(name, name), " ".join(rest).strip(f"{_QUOTES} "))


def typed(text: str) -> str:
    """What somebody typed, of what Slack makes of it: its links are words again, its three entities characters."""
    shown = _LINK.sub(lambda link: link[2] or link[1], text)
    for entity, character in _ENTITIES:
        shown = shown.replace(entity, character)
    return shown


def of_command(fields: Mapping[str, str], body: bytes, now: datetime) -> Question:
    """The question of a slash command; `body` names one that has no trigger id."""
    trigger = _word(fields, "trigger_id") or hashlib.sha256(body).hexdigest()
    return Question(
        id=f"command:{trigger}",
        user=_word(fields, "user_id") or "",
        home=_word(fields, "team_id"),
        channel=_word(fields, "channel_id") or "",
        text=clean(fields.get("text", ""))[:LONGEST_TEXT],
        asked_at=now.isoformat(),
        response_url=clean(fields.get("response_url", "")),
    )


def of_mention(payload: Mapping[str, Any], now: datetime) -> Question | None:
    """The question of an `app_mention` event; None for whatever else comes, and for what bots say."""
    event = payload.get("event")
    if payload.get("type") != "event_callback" or not isinstance(event, Mapping):
        return None
    if event.get("type") != "app_mention" or event.get("bot_id") or event.get("subtype"):
        return None
    event_id, user, channel = _word(payload, "event_id"), _word(event, "user"), _word(event, "channel")
    if not event_id or not user or not channel:
        return None
    return Question(
        id=f"event:{event_id}",
        user=user,
        home=_word(event, "user_team") or _word(event, "team"),
        channel=channel,
        text=clean(str(event.get("text") or ""))[:LONGEST_TEXT],
        asked_at=now.isoformat(),
        thread=_word(event, "thread_ts") or _word(event, "ts"),
    )


def teams_of(payload: Mapping[str, Any]) -> set[str]:
    """The workspaces for which an event was sent: in a shared channel `team_id` may be the other one."""
    listed = payload.get("authorizations")
    rows = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    named = [_word(payload, "team_id"), *(_word(each, "team_id") for each in rows)]
    return {each for each in named if each}


def _word(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    return clean(value)[:LONGEST_WORD] or None if isinstance(value, str) else None
