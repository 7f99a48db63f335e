"""Tags for people: added when a notice is posted. They decide nothing; our own tables do."""

from collections.abc import Sequence
from functools import partial

from notifier.destinations import TAGS
from supportops.delivery import Budget, Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.pausing import while_it_can_be_tagged
from supportops.vendors.zendesk import Zendesk


class NoticeTags:
    """Adds a tag, or takes one away (`remove`), by safe updates; lane = ticket."""

    def __init__(self, zendesk: Zendesk, budget: Budget | None) -> None:
        self.spec = DestinationSpec(TAGS, concurrency=2, budget=budget, idempotent=True)
        self._zendesk = zendesk

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._tag(each) for each in deliveries]

    async def _tag(self, delivery: Delivery) -> Outcome:
        return await while_it_can_be_tagged(partial(self._change, delivery))

    async def _change(self, delivery: Delivery) -> Outcome:
        ticket_id, tag = str(delivery.payload["ticket_id"]), str(delivery.payload["tag"])
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            return Cancel("the ticket is gone")
        remove = delivery.payload.get("remove") is True
        if remove is (tag not in ticket.tags):
            return Cancel("the tag is as it should be")
        change = self._zendesk.remove_tags if remove else self._zendesk.add_tags
        await change(ticket_id, [tag], updated_stamp=ticket.updated_at)
        return Done()
