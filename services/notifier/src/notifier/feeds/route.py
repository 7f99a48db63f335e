"""Finds the feeds of a message whose form, tags or privacy the events did not tell."""

from collections.abc import Sequence

from notifier.destinations import ROUTING
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.scheduling import MessagePayload, from_payload
from notifier.policy.routing import Verdict
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Done,
    Outcome,
)


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
        feeds = [feed for feed in policy.feeds if policy.verdict(feed, routable) is Verdict.YES]
        if not feeds:
            return Cancel("no feed wants it")
        return Done(
            {"feeds": [f.name for f in feeds]}, lambda tx: self._context.scheduler.post(tx, payload, feeds)
        )
