"""Changes a message in every channel that shows an older one; a change may be made twice."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row

from notifier import tables
from notifier.destinations import UPDATES
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.render import FeedLine
from notifier.feeds.scheduling import MessagePayload, from_payload, message_key
from notifier.posting.message_log import GONE, post_in_flight, record_messages, shown_of
from notifier.posting.post import SOON
from notifier.slack.client import (
    Posted,
    SlackRateLimited,
    SlackRefused,
    SlackTargetGone,
)
from notifier.slack.message import Json
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Snooze,
)
from supportops.errors import DestinationPaused


class FeedUpdates:
    """Changes a message in every channel that shows an older one; lane = message."""

    spec = DestinationSpec(UPDATES, idempotent=True)

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = [await self._change(from_payload(delivery.payload)) for delivery in deliveries]
        return [self._context.counted(outcome, "folded") for outcome in outcomes]

    async def _change(self, payload: MessagePayload) -> Outcome:
        if await self._being_posted(payload):
            return Snooze(SOON, "the message is being posted")
        payload = await self._context.newest(payload)
        changed: dict[str, Json] = {}
        refused: list[str] = []
        for row in await shown_of(self._context.store, payload.ticket_id, payload.item):
            try:
                after = await self._change_one(payload, row)
            except SlackRefused as error:  # of this channel or message: the others are changed all the same
                refused.append(f"{row.channel}: {error}")
                continue
            if after is not None:
                changed[row.key] = after
        then = partial(record_messages, rows=changed)
        if refused:
            return Discard("; ".join(refused), then if changed else None)
        if not changed:
            return Cancel("nothing posted shows anything older")
        return Done({"changed": sorted(changed)}, then)

    async def _change_one(self, payload: MessagePayload, row: Row[Any]) -> Json | None:
        """What to note of a message that shows something older; None when it is as it should be."""
        feed = self._context.policy.feed(row.feed)
        if feed is None or row.revision >= payload.revision:
            return None
        try:
            rendered = await self._context.rendered(payload, feed)
            if rendered.confidential and (why := await self._context.channels.why_open(row.address)):
                raise NotToBeShown(why)
            message = rendered.message
        except NotToBeShown as reason:
            line = FeedLine(payload.ticket_id, payload.content.at, comment=f"(not shown any more: {reason})")
            message = self._context.laid_out(feed, line)
        after: Json = {"revision": payload.revision, "digest": message.digest}
        if message.digest == row.digest:
            return after
        try:
            await self._context.slack.update(Posted(row.address, row.ts), message)
        except SlackRateLimited as error:
            # chat.update has one limit for the whole workspace (docs/vendors/slack.md#limits)
            raise DestinationPaused(str(error), error.after) from error
        except SlackTargetGone:
            return after | {"state": GONE}
        return after

    async def _being_posted(self, payload: MessagePayload) -> bool:
        """Whether a post is in flight: it may have been read what to show before this change."""
        keys = [
            message_key(feed.channel, payload.ticket_id, payload.item) for feed in self._context.policy.feeds
        ]
        return await post_in_flight(self._context.store, tables.engine.deliveries.c.key.in_(keys))
