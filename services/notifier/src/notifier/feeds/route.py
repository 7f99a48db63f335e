"""Finds the feeds of a message whose form, tags or privacy the events did not tell."""

from collections.abc import Sequence

from notifier.destinations import ROUTING
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown
from notifier.feeds.scheduling import MessagePayload, from_payload
from notifier.policy import Verdict
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

    def __init__(self, desk: MessageContext) -> None:
        self._desk = desk

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._route(from_payload(delivery.payload)) for delivery in deliveries]

    async def _route(self, planned: MessagePayload) -> Outcome:
        planned = await self._desk.newest(planned)
        try:
            routable = await self._desk.lookups.routable(planned.ticket_id, planned.content)
        except NotToBeShown as reason:
            return Cancel(str(reason))
        policy = self._desk.policy
        feeds = [feed for feed in policy.feeds if policy.verdict(feed, routable) is Verdict.YES]
        if not feeds:
            return Cancel("no feed wants it")
        return Done(
            {"feeds": [f.name for f in feeds]}, lambda tx: self._desk.planner.post(tx, planned, feeds)
        )
