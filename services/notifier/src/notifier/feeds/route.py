"""Finds the feeds of a message whose form, tags or privacy the events did not tell."""

from collections.abc import Sequence

from notifier.destinations import ROUTING
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.scheduling import MessagePayload, from_payload
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Done,
    Outcome,
)
from supportops.store import Transaction


class FeedRouting:
    """Finds the feeds of a message whose form, tags or privacy the events did not tell."""

    spec = DestinationSpec(ROUTING, idempotent=True)

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._route(from_payload(delivery.payload)) for delivery in deliveries]

    async def _route(self, payload: MessagePayload) -> Outcome:
        payload = await self._context.newest(payload)
        try:
            routable = await self._context.lookups.routable(payload.ticket_id, payload.content)
        except NotToBeShown as reason:
            return Cancel(str(reason))
        policy = self._context.policy
        feeds, _ = policy.chosen((feed, policy.verdict(feed, routable)) for feed in policy.feeds)

        def then(tx: Transaction) -> None:
            self._context.scheduler.decided(tx, payload, routable, feeds)
            self._context.scheduler.post(tx, payload, feeds)

        return (
            Done({"feeds": [feed.name for feed in feeds]}, then)
            if feeds
            else Cancel("no feed wants it", then)
        )
