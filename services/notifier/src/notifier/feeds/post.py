"""Feed messages as deliveries: find the feeds, post once, change what was posted (docs/rules.md N3-N5;
docs/vendors/slack.md).

A post carries its key in Slack's metadata. After an unknown outcome the channel's history says whether it is there;
where the history cannot be read, the line is skipped rather than doubled. A change may be made twice.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from notifier import tables
from notifier.destinations import POSTS
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.repository import (
    EVENT_TYPE,
    POSTED,
    message_row,
    metadata_of,
    record_message,
    record_root_gone,
)
from notifier.feeds.scheduling import MessagePayload, from_payload
from notifier.policy.routing import FeedRule
from notifier.slack.client import (
    Posted,
    SeenMessage,
    SlackChannelError,
    SlackCredentialError,
    SlackRateLimited,
    SlackRefused,
    SlackTargetGone,
)
from notifier.slack.message import Message
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Done,
    Outcome,
    Rate,
    Snooze,
    Unknown,
)
from supportops.store import Transaction

CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{7,}", re.ASCII)
CLOCK_MARGIN = timedelta(minutes=1)  # Slack's clock and ours
SOON = timedelta(seconds=1)
DOUBT = "outcome unknown, and the channel's history cannot be read: it is not posted a second time"
NO_FEED = "the feed is not in the rules any more"


class FeedPosts:
    """Posts a message, once; lane = channel."""

    def __init__(self, context: MessageContext) -> None:
        self._context = context
        self._addresses: dict[str, str] = {}
        pace = context.policy.channel_pace
        self.spec = DestinationSpec(
            POSTS,
            concurrency=32,
            schedule=(SOON, 5 * SOON, 30 * SOON, *[timedelta(minutes=5)] * 12, *[timedelta(hours=1)] * 24),
            lane_pace=None if pace is None else Rate(1, pace),
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [self._context.counted(await self._post(delivery), "posted") for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        payload = from_payload(delivery.payload)
        feed = self._context.policy.feed(payload.feed)
        if feed is None:
            return Cancel(NO_FEED)
        try:
            found = await self._find(delivery, payload, feed)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error), uncertain=True)
        except SlackRefused as error:
            return Unknown(f"{DOUBT} ({error.code})")
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return Unknown(f"{DOUBT} ({error.code})")
        return None if found is None else self._found(delivery, payload, feed, found)

    async def _post(self, delivery: Delivery) -> Outcome:
        payload = await self._context.newest(from_payload(delivery.payload))
        feed, policy = self._context.policy.feed(payload.feed), self._context.policy
        if feed is None:
            return Cancel(NO_FEED)
        if self._context.store.clock.now() - payload.content.at > policy.max_age:
            return Cancel("too old to be news")
        try:
            message = await self._context.rendered(payload, feed)
        except NotToBeShown as reason:
            return Cancel(str(reason))
        thread_ts = await self._thread(feed, payload.ticket_id)
        try:
            posted = await self._send(delivery, payload, message, thread_ts)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error))
        row = message_row(payload, feed, posted, posted.thread_ts) | {"digest": message.digest}
        lost = thread_ts if posted.thread_ts is None else None

        async def then(tx: Transaction) -> None:
            await record_message(tx, key=delivery.key, row=row)
            if lost is not None:
                await record_root_gone(tx, channel=feed.channel, ts=lost)

        reads = ((tables.feed_messages, delivery.key),)
        return Done({"channel": posted.channel, "ts": posted.ts}, then, reads)

    async def _send(
        self, delivery: Delivery, payload: MessagePayload, message: Message, thread_ts: str | None
    ) -> Posted:
        """Post into the thread; where that is refused (the first message was deleted), at channel level."""
        channel, metadata = delivery.lane, metadata_of(delivery.key, payload)
        if thread_ts is not None:
            with suppress(SlackTargetGone):
                return await self._context.slack.post(channel, message, metadata, thread_ts)
        return await self._context.slack.post(channel, message, metadata)

    async def _thread(self, feed: FeedRule, ticket_id: str) -> str | None:
        """The ticket's first message in the channel, when later ones go into its thread."""
        if feed.updates != "thread":
            return None
        messages = tables.feed_messages.c
        query = select(messages.ts).where(
            messages.ticket_id == ticket_id,
            messages.channel == feed.channel,
            messages.state == POSTED,
            messages.thread_ts.is_(None),
        )
        async with self._context.store.reading() as conn:
            return (await conn.execute(query.order_by(messages.ts).limit(1))).scalar()

    async def _address(self, channel: str) -> str:
        """The channel's id: reading takes no name. Known from an earlier post, else looked up once."""
        if CHANNEL_ID.fullmatch(channel):
            return channel
        messages = tables.feed_messages.c
        posted = select(messages.address).where(messages.channel == channel, messages.address != channel)
        async with self._context.store.reading() as conn:
            known = (await conn.execute(posted.order_by(messages.ts.desc()).limit(1))).scalar()
        if known is None:
            known = self._addresses.get(channel) or await self._context.slack.channel_id(channel)
        if known is None:
            raise SlackChannelError("channel_not_found")
        self._addresses[channel] = known
        return known

    async def _find(
        self, delivery: Delivery, payload: MessagePayload, feed: FeedRule
    ) -> tuple[SeenMessage, str | None] | None:
        """Our message by its key: in the channel, and in the thread that it was to go to."""
        since = delivery.created_at - CLOCK_MARGIN
        address = await self._address(feed.channel)
        for thread_ts in dict.fromkeys((None, await self._thread(feed, payload.ticket_id))):
            async for seen in self._context.slack.history(address, since, thread_ts):
                if seen.event_type == EVENT_TYPE and seen.payload.get("key") == delivery.key:
                    return seen, thread_ts
        return None

    def _found(
        self,
        delivery: Delivery,
        payload: MessagePayload,
        feed: FeedRule,
        found: tuple[SeenMessage, str | None],
    ) -> Outcome:
        """It was posted; since then the message may have changed, which a change finds out."""
        seen, thread_ts = found
        address = self._addresses.get(feed.channel, feed.channel)
        row = message_row(payload, feed, Posted(address, seen.ts), thread_ts) | {"revision": 0}

        async def then(tx: Transaction) -> None:
            await record_message(tx, key=delivery.key, row=row)
            self._context.scheduler.change(tx, payload, reason=f"found:{feed.channel}")

        return Done({"channel": feed.channel, "ts": seen.ts, "found": True}, then)
