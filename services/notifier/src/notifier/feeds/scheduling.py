"""From what is known of a message to deliveries: which feeds get it, now or after a look into Zendesk.

A message's key is (channel, ticket, comment): a delivery with that key is made once, however often and on whatever road
we hear of the comment. What changes later is a delivery of its own, by revision: it changes the message where it is
posted, and is moot where it is not, because a post takes the newest content when it is made.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from notifier.destinations import POSTS, REDACTIONS, ROUTING, UPDATES
from notifier.feeds.decisions import as_facts, keep_decision
from notifier.feeds.merge import Content, FieldName, Item
from notifier.feeds.routing import FeedIndex, FormNames
from notifier.policy.conditions import Routable
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from supportops.store import Transaction

FOLD_WAIT = timedelta(seconds=1)  # so that several late events make one change of the message


class MessagePayload(msgspec.Struct, frozen=True):
    """The payload of the feeds' deliveries. `content` is used when the ticket's own record is gone.

    `feed`: the feed's name in a post, else empty.
    """

    ticket_id: str
    item: str
    revision: int
    content: Content
    feed: str = ""


Cause = Literal["comment", "form", "channel"]


class Redaction(msgspec.Struct, frozen=True):
    """Why something is taken back. `subject`: the comment's id, or for an opened channel the message's key."""

    ticket_id: str
    cause: Cause
    subject: str = ""


def schedule_redaction(tx: Transaction, redaction: Redaction, *, key: str) -> None:
    """Have what may not be shown any more taken back, once for this key."""
    lane = redaction.ticket_id or redaction.subject
    tx.deliveries.schedule(REDACTIONS, key, lane=lane, payload=msgspec.to_builtins(redaction), priority=1)


class MessageScheduler:
    """Schedules what a message needs. Pure but for the deliveries it collects."""

    def __init__(self, policy: NotifierPolicy, forms: FormNames) -> None:
        self._policy = policy
        self._feeds = FeedIndex(policy)
        self.forms = forms

    def schedule(self, tx: Transaction, ticket_id: str, item: Item, content: Content) -> None:
        """A post in each feed the message belongs to, or a look-up first; a change where it may be posted already."""
        routable = self.routable(content, tx.now)
        feeds, unknown = self._policy.chosen(self._feeds.candidates(routable))
        payload = MessagePayload(ticket_id, item.name, item.revision, content)
        if unknown:
            key = f"{ticket_id}:{item.name}:r{item.revision}"
            tx.deliveries.schedule(ROUTING, key, lane=ticket_id, payload=as_payload(payload))
        else:
            self.decided(tx, payload, routable, feeds)
        self.post(tx, payload, feeds)
        if item.revision > 1:
            self.change(tx, payload, reason=f"r{item.revision}")

    def decided(
        self, tx: Transaction, payload: MessagePayload, routable: Routable, feeds: list[FeedRule]
    ) -> None:
        """Keep what was decided for the message, by which facts and which rules; also when no feed wants it."""
        keep_decision(
            tx,
            key=f"{payload.ticket_id}:{payload.item}",
            ticket_id=payload.ticket_id,
            item=payload.item,
            facts=as_facts(routable),
            feeds=msgspec.json.encode([feed.name for feed in feeds]).decode(),
            version=self._policy.version,
            decided_at=tx.now,
        )

    def post(self, tx: Transaction, payload: MessagePayload, feeds: list[FeedRule]) -> None:
        """Have the message posted in `feeds`; a channel named by several gets it once.

        One about changes waits: a comment of the same action, whose message tells of them, may be on its way.
        """
        due_at = tx.now + self._policy.fold_window if payload.content.is_change else None
        for feed in feeds:
            tx.deliveries.schedule(
                POSTS,
                message_key(feed.channel, payload.ticket_id, payload.item),
                lane=feed.channel,
                payload=as_payload(msgspec.structs.replace(payload, feed=feed.name)),
                due_at=due_at,
            )

    def change(self, tx: Transaction, payload: MessagePayload, reason: str) -> None:
        """Have the message changed in every channel that shows an older one; `reason` makes the key."""
        lane = f"{payload.ticket_id}:{payload.item}"
        due_at = tx.now + FOLD_WAIT
        tx.deliveries.schedule(
            UPDATES, f"{lane}:{reason}", lane=lane, payload=as_payload(payload), due_at=due_at
        )

    def form_name(self, form_id: str | None, now: datetime) -> str | None:
        """A form's name by what is known without asking anybody: `NO_FORM` without one, None when it is not known."""
        return self.forms.by_id(form_id, now)

    def routable(self, content: Content, now: datetime) -> Routable:
        """What is known for routing without asking anybody."""
        priority = content.text_of("priority") or ""
        return Routable(
            self.forms.name_of(content, now),
            content.tags(),
            content.public,
            **content.happened(),
            status=content.text_of("status") or "" if content.knows("status") else None,
            priority=priority if content.knows("priority") else None,
            brand=_nothing(content, "brand_id"),
            group=_nothing(content, "group_id"),
            organization=_nothing(content, "organization_id"),
            plan=_nothing(content, "organization_id"),
            region=_nothing(content, "organization_id"),
        )


def _nothing(content: Content, name: FieldName) -> str | None:
    """The name behind an id in so far as it needs no look-up: empty, where there is no id."""
    return "" if content.knows(name) and content.text_of(name) is None else None


def message_key(channel: str, ticket_id: str, item: str) -> str:
    """The semantic key of a message across roads: channel and comment."""
    return f"{channel}:{ticket_id}:{item}"


def as_payload(payload: MessagePayload) -> dict[str, Any]:
    """`payload` as the JSON object that a delivery keeps."""
    built: dict[str, Any] = msgspec.to_builtins(payload)
    return built


def from_payload(payload: Mapping[str, Any]) -> MessagePayload:
    """What `as_payload` made of it."""
    return msgspec.convert(payload, MessagePayload)
