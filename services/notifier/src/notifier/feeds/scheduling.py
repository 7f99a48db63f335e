"""From what is known of a message to deliveries: which feeds get it, now or after a look into Zendesk.

A message's key is (channel, ticket, comment): a delivery with that key is made once, however often and on whatever road
we hear of the comment. What changes later is a delivery of its own, by revision: it changes the message where it is
posted, and is moot where it is not, because a post takes the newest content when it is made.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from notifier.destinations import POSTS, ROUTING, UPDATES
from notifier.feeds.merge import Content, Item
from notifier.feeds.routing import FeedIndex, FormNames
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule, Routable, Verdict
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


class MessageScheduler:
    """Schedules what a message needs. Pure but for the deliveries it collects."""

    def __init__(self, policy: NotifierPolicy, forms: FormNames) -> None:
        self._feeds = FeedIndex(policy)
        self.forms = forms

    def schedule(self, tx: Transaction, ticket_id: str, item: Item, content: Content) -> None:
        """A post in each feed the message belongs to, or a look-up first; a change where it may be posted already."""
        candidates = self._feeds.candidates(self.routable(content, tx.now))
        payload = MessagePayload(ticket_id, item.name, item.revision, content)
        if any(verdict is Verdict.UNKNOWN for _, verdict in candidates):
            key = f"{ticket_id}:{item.name}:r{item.revision}"
            tx.deliveries.schedule(ROUTING, key, lane=ticket_id, payload=as_payload(payload))
        self.post(tx, payload, [feed for feed, verdict in candidates if verdict is Verdict.YES])
        if item.revision > 1:
            self.change(tx, payload, reason=f"r{item.revision}")

    def post(self, tx: Transaction, payload: MessagePayload, feeds: list[FeedRule]) -> None:
        """Have the message posted in `feeds`; a channel named by several gets it once."""
        for feed in feeds:
            tx.deliveries.schedule(
                POSTS,
                message_key(feed.channel, payload),
                lane=feed.channel,
                payload=as_payload(msgspec.structs.replace(payload, feed=feed.name)),
            )

    def change(self, tx: Transaction, payload: MessagePayload, reason: str) -> None:
        """Have the message changed in every channel that shows an older one; `reason` makes the key."""
        lane = f"{payload.ticket_id}:{payload.item}"
        due_at = tx.now + FOLD_WAIT
        tx.deliveries.schedule(
            UPDATES, f"{lane}:{reason}", lane=lane, payload=as_payload(payload), due_at=due_at
        )

    def routable(self, content: Content, now: datetime) -> Routable:
        """What is known for routing without asking anybody."""
        return Routable(self.forms.name_of(content, now), content.tags(), content.public)


def message_key(channel: str, payload: MessagePayload) -> str:
    """The semantic key of a message across roads: channel and comment."""
    return f"{channel}:{payload.ticket_id}:{payload.item}"


def as_payload(payload: MessagePayload) -> dict[str, Any]:
    """`payload` as the JSON object that a delivery keeps."""
    built: dict[str, Any] = msgspec.to_builtins(payload)
    return built


def from_payload(payload: Mapping[str, Any]) -> MessagePayload:
    """What `as_payload` made of it."""
    return msgspec.convert(payload, MessagePayload)
