"""Tags a ticket once something about it is on record: its own delivery, so that a crash never repeats what came before.

The tags are for people and for other systems; they decide nothing, our tables do.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Table

from csat import destinations, tables
from csat.policy.csat import CsatPolicy
from csat.surveys.budgets import BATCH, updates_budget
from csat.surveys.ports import Helpdesk, read_together
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.pausing import while_it_can_be_tagged
from supportops.store import Transaction
from supportops.vendors.zendesk import Ticket


class AddTicketTag:
    """Adds `tag` to tickets; `tagged_at` of its row in `noted_in` says when. A follow-up may have inherited it."""

    def __init__(self, zendesk: Helpdesk, spec: DestinationSpec, tag: str, noted_in: Table) -> None:
        self.spec = spec
        self._zendesk, self._tag, self._noted_in = zendesk, tag, noted_in

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """The tickets carry the tag, or cannot any more. Those of a batch are read in one call."""
        ids = [str(delivery.payload["ticket_id"]) for delivery in deliveries]
        if len(ids) == 1:
            return [await self._tag_ticket(ids[0])]
        tickets = dict(await read_together(self._zendesk.tickets, ids))  # the others are asked for alone
        tagging = (self._tag_ticket(ticket_id, tickets.get(ticket_id)) for ticket_id in ids)
        return await asyncio.gather(*tagging, return_exceptions=True)

    async def _tag_ticket(self, ticket_id: str, ticket: Ticket | None = None) -> Outcome:
        ready = [ticket] if ticket is not None else []  # good for one attempt; then it is read anew

        async def once() -> Outcome:
            return await self._add(ready.pop() if ready else await self._zendesk.ticket(ticket_id))

        return await while_it_can_be_tagged(once)

    async def _add(self, ticket: Ticket | None) -> Outcome:
        if ticket is None:
            return Cancel("the ticket is gone")
        if self._tag not in ticket.tags:
            await self._zendesk.add_tags(ticket.id, [self._tag], updated_stamp=ticket.updated_at)
        return Done(then=lambda tx: self._note(tx, ticket.id), reads=((self._noted_in, ticket.id),))

    async def _note(self, tx: Transaction, ticket_id: str) -> None:
        rows = await tx.load(self._noted_in, [ticket_id])
        if rows.get(ticket_id) is not None:
            rows.put(ticket_id, tagged_at=tx.now)


def tag_surveyed(zendesk: Helpdesk, policy: CsatPolicy) -> AddTicketTag:
    """The tag that tells people that the ticket was surveyed (C3)."""
    return AddTicketTag(zendesk, _spec(destinations.SURVEY_TAG, policy), policy.sent_tag, tables.surveys)


def tag_exported(zendesk: Helpdesk, policy: CsatPolicy) -> AddTicketTag:
    """The tag of a ticket whose issue is on record (C11)."""
    return AddTicketTag(zendesk, _spec(destinations.FEEDBACK_TAG, policy), policy.feedback.tag, tables.issues)


def _spec(name: str, policy: CsatPolicy) -> DestinationSpec:
    return DestinationSpec(name, batch=BATCH, concurrency=2, budget=updates_budget(policy), idempotent=True)
