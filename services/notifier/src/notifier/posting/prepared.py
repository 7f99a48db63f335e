"""A message ready to be posted, and who makes it: feed lines and notes go through one destination, because a channel
takes a message a second, whatever it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from notifier.destinations import POSTS
from notifier.slack.message import Json, Message
from supportops.delivery.destination import Delivery, Outcome
from supportops.store import Transaction
from supportops.store.transaction import Then

NOTE = "note"  # the key of a note in a payload; what has none is a feed line
NOTE_EVENT, LINE_EVENT = "support_note", "ticket_feed"
LINE, SUMMARY, WARNING = 0, 1, 1
"""Priorities in a channel's lane: what stands for many lines goes before them. Breach notices go before all."""


@dataclass(frozen=True)
class Prepared:
    """A message to post now. `row`: what is kept of it in `feed_messages`, without its address in Slack.

    `threads`: the message that it answers to, or None: at channel level. `confidential`: for closed channels only.
    """

    message: Message
    row: Json
    thread_ts: str | None = None
    confidential: bool = False
    then: Then | None = None


class Note(msgspec.Struct, frozen=True):
    """A message that is no feed line: `kind` names its maker, `rule` the rule that wanted it."""

    kind: str
    rule: str
    ticket_id: str = ""
    data: dict[str, Any] = {}


class MessageSource(Protocol):
    """Makes the messages of one kind, when they are due."""

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        """The message as it is to be posted now, or what is to become of the delivery instead."""
        ...

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        """What to keep of a message that was found in Slack after a lost answer (`message` does not matter then)."""
        ...


def note_of(payload: Mapping[str, Any]) -> Note | None:
    """The note that a payload holds; None for a feed line."""
    return msgspec.convert(payload[NOTE], Note) if NOTE in payload else None


def schedule_note(
    tx: Transaction,
    note: Note,
    *,
    channel: str,
    key: str,
    due_at: datetime | None = None,
    priority: int = LINE,
) -> None:
    """Have a note posted in a channel, once for this key."""
    payload = {NOTE: msgspec.to_builtins(note)}
    tx.deliveries.schedule(POSTS, key, lane=channel, payload=payload, due_at=due_at, priority=priority)


def note_row(note: Note, channel: str) -> Json:
    """What is kept of a note, without its address."""
    return {
        "channel": channel,
        "ticket_id": note.ticket_id,
        "item": f"note:{note.kind}",
        "feed": note.rule,
        "revision": 1,
    }


def metadata_of(delivery: Delivery, ticket_id: str) -> Json:
    """Everybody in the workspace can read it: ids only (docs/vendors/slack.md#metadata)."""
    about = {"ticket_id": int(ticket_id)} if ticket_id.isdecimal() else {}
    event = NOTE_EVENT if NOTE in delivery.payload else LINE_EVENT
    return {"event_type": event, "event_payload": {"key": delivery.key} | about}
