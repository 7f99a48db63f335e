"""Tags a ticket after its requester was asked: its own delivery, so that a crash never repeats the comment."""

import asyncio
from collections.abc import Sequence

from csat import tables
from csat.settings import CsatRules
from csat.surveys import repository
from csat.surveys.budgets import BATCH, quota_pauses_all, updates_budget, while_it_moves
from csat.surveys.ports import Helpdesk
from supportops.delivery import Delivery, DestinationSpec, Done, Moot, Outcome
from supportops.vendors.http_client import Conflict, NotFound
from supportops.vendors.zendesk import Refused, Ticket


class TagTicket:
    """Adds the tag that tells people that the ticket was surveyed. It decides nothing; our table does."""

    def __init__(self, zendesk: Helpdesk, policy: CsatRules) -> None:
        self.spec = DestinationSpec(
            repository.SURVEY_TAG, batch=BATCH, concurrency=2, budget=updates_budget(policy)
        )
        self._zendesk = zendesk
        self._tag = policy.sent_tag

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """The tickets carry the tag, or cannot any more. Those of a batch are read in one call."""
        ids = [str(delivery.payload["ticket_id"]) for delivery in deliveries]
        if len(ids) == 1:
            return [await self._tag_ticket(ids[0])]
        with quota_pauses_all():
            tickets = await self._zendesk.tickets(ids)
        tagging = (self._tag_ticket(ticket_id, tickets.get(ticket_id)) for ticket_id in ids)
        return await asyncio.gather(*tagging, return_exceptions=True)

    async def did_it_happen(self, _delivery: Delivery) -> Outcome | None:
        """Adding a tag twice does no harm: just do it."""
        return None

    async def _tag_ticket(self, ticket_id: str, ticket: Ticket | None = None) -> Outcome:
        ready = [ticket] if ticket is not None else []  # good for one attempt; then it is read anew

        async def once() -> Outcome:
            return await self._add(ready.pop() if ready else await self._zendesk.ticket(ticket_id))

        try:
            return await while_it_moves(once, Conflict)
        except NotFound:
            return Moot("the ticket is gone")
        except Refused as error:
            if error.closed:
                return Moot("the ticket is closed: its tags cannot be changed any more")
            raise

    async def _add(self, ticket: Ticket | None) -> Outcome:
        if ticket is None:
            return Moot("the ticket is gone")
        if self._tag not in ticket.tags:
            await self._zendesk.add_tags(ticket.id, [self._tag], updated_stamp=ticket.updated_at)
        return Done(
            then=lambda tx: repository.record_tagged(tx, ticket.id), reads=((tables.surveys, ticket.id),)
        )
