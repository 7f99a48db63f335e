"""Ticket events in; readings of SLA targets planned. Touches our database only.

An event about a ticket is a hint: what it says of targets is not believed, but read a few seconds later, because
Zendesk computes late. Events of the same seconds make one reading. Only tickets that a rule could concern are read.
"""

from datetime import UTC, datetime
from typing import Any

from notifier.destinations import SLA_READINGS
from notifier.policy.breaches import BreachPolicy, TicketFacts
from notifier.tables import breach_tickets
from supportops.contracts import TicketCommented, TicketEvent, TicketRated, TicketSnapshot
from supportops.contracts.tickets import TICKET_EVENTS
from supportops.messaging import Handlers
from supportops.store import Transaction

TOGETHER = 1
"""Events of the same stretch of so many seconds lead to one reading."""


class BreachHandlers:
    """The handlers of breach notices, in the consumer group `notifier`."""

    def __init__(self, policy: BreachPolicy) -> None:
        self._policy = policy

    def add_to(self, handlers: Handlers) -> Handlers:
        """Which events are handled; none where no rule wants to know."""
        if self._policy.rules:
            for event in TICKET_EVENTS:
                if event is not TicketRated:
                    handlers.on(event, self.on_event, ((breach_tickets, _ticket_id),))
        return handlers

    def on_event(self, event: TicketEvent, tx: Transaction) -> None:
        """Have the ticket read, if it is watched or a rule could concern it. Our own changes move no target."""
        rows = tx.rows(breach_tickets)
        watched = rows.get(event.ticket_id)
        if event.own_action or (watched is None and not self._could_concern(event.ticket)):
            return
        if watched is not None:
            rows.put(event.ticket_id, **_heard(event, watched, tx))
        # The reading is later than every event that it stands for: none of them may find it done.
        together = datetime.fromtimestamp(tx.now.timestamp() // TOGETHER * TOGETHER + TOGETHER, UTC)
        tx.deliveries.schedule(
            SLA_READINGS,
            f"{event.ticket_id}:{together:%Y%m%dT%H%M%S}",
            lane=event.ticket_id,
            payload={"ticket_id": event.ticket_id},
            due_at=together + self._policy.reading_delay,
        )

    def _could_concern(self, ticket: TicketSnapshot) -> bool:
        facts = facts_of(ticket)
        return any(rule.objection(facts) is None for rule in self._policy.rules)


def facts_of(ticket: TicketSnapshot) -> TicketFacts:
    """What an event tells of a ticket; its form's name is not in it."""
    known = ticket.model_fields_set
    return TicketFacts(
        ticket.status if "status" in known else None,
        frozenset(ticket.tags) if ticket.tags is not None else None,
        None,
        (ticket.priority or "") if "priority" in known else None,
    )


def _heard(event: TicketEvent, watched: Any, tx: Transaction) -> dict[str, Any]:
    """What the row of a watched ticket keeps of the event: that something was heard, and an agent's public reply."""
    changed = {"hint_at": tx.now, "changed_at": tx.now}
    if isinstance(event, TicketCommented) and event.comment.is_public and event.comment.author_is_agent:
        before = watched["replied_at"]
        changed["replied_at"] = event.time if before is None else max(before, event.time)
    return changed


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id
