"""Tags a ticket once its issue is on record, for people and for other systems (C11)."""

from collections.abc import Mapping, Sequence

from csat.feedback.repository import FEEDBACK_TAG, record_tagged
from csat.settings import CsatRules
from csat.surveys.budgets import updates_budget, while_it_moves
from csat.surveys.ports import Helpdesk
from supportops.delivery import Delivery, DestinationSpec, Done, Moot, Outcome
from supportops.vendors.http_client import Conflict, NotFound
from supportops.vendors.zendesk import Refused


class TagExported:
    """Adds the tag `csat.feedback.tag`. A follow-up may have inherited it; then there is nothing to add."""

    def __init__(self, zendesk: Helpdesk, rules: CsatRules) -> None:
        self.spec = DestinationSpec(FEEDBACK_TAG, budget=updates_budget(rules))
        self._zendesk = zendesk
        self._tag = rules.feedback.tag

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """The ticket carries the tag, or cannot any more."""
        return [await self._tag_ticket(delivery.payload) for delivery in deliveries]

    async def did_it_happen(self, _delivery: Delivery) -> Outcome | None:
        """Adding a tag twice does no harm: just do it."""
        return None

    async def _tag_ticket(self, payload: Mapping[str, str]) -> Outcome:
        try:
            return await while_it_moves(lambda: self._add(payload["ticket_id"]), Conflict)
        except NotFound:
            return Moot("the ticket is gone")
        except Refused as error:
            if error.closed:
                return Moot("the ticket is closed: its tags cannot be changed any more")
            raise

    async def _add(self, ticket_id: str) -> Outcome:
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            return Moot("the ticket is gone")
        if self._tag not in ticket.tags:
            await self._zendesk.add_tags(ticket_id, [self._tag], updated_stamp=ticket.updated_at)
        return Done(then=lambda tx: record_tagged(tx, ticket_id))
