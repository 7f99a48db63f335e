"""Ticket events in, survey timers out: handler code, so it touches our own tables only."""

from datetime import datetime, timedelta
from typing import Any

from csat import lifecycle, tables
from csat.records import SURVEY, solve_key
from supportops.contracts import TicketEvent, TicketReopened, TicketSolved
from supportops.messaging import Handlers
from supportops.store import Transaction


class SurveyClock:
    """Arms a survey `survey_after` a solve, and takes it back when the ticket was reopened (C3).

    Events of our own integration users count like all others: csat changes no status, so there is no loop.
    """

    def __init__(self, survey_after: timedelta) -> None:
        self._survey_after = survey_after

    def handlers(self) -> Handlers:
        """The table of what csat listens to."""
        handlers = Handlers()
        handlers.on(TicketSolved, self.on_ticket_solved, reads=((tables.tickets, _ticket_id),))
        handlers.on(TicketReopened, self.on_ticket_reopened, reads=((tables.tickets, _ticket_id),))
        return handlers

    def on_ticket_solved(self, event: TicketSolved, tx: Transaction) -> None:
        """Start the ticket's clock."""
        step = lifecycle.solved(state_of(tx, event.ticket_id), event.version, event.solved_at)
        self.take(tx, event.ticket_id, step, event.id)

    def on_ticket_reopened(self, event: TicketReopened, tx: Transaction) -> None:
        """Stop the ticket's clock."""
        step = lifecycle.reopened(state_of(tx, event.ticket_id), event.version)
        self.take(tx, event.ticket_id, step, event.id)

    def take(self, tx: Transaction, ticket_id: str, step: lifecycle.Step | None, cause: str) -> None:
        """Write a step of the ticket's clock; `cause` is the id of the event that led to it."""
        if step is None:
            return
        state = step.state
        values = {"status": state.status, "version": state.version, "solved_at": state.solved_at}
        tx.rows(tables.tickets).put(ticket_id, **values, changed_at=tx.now)
        if step.cancel is not None:
            tx.deliveries.cancel(SURVEY, solve_key(ticket_id, step.cancel))
        if step.arm is not None:
            tx.deliveries.rearm(
                SURVEY,
                solve_key(ticket_id, step.arm),
                lane=ticket_id,
                payload=_payload(ticket_id, step.arm, cause),
                due_at=step.arm + self._survey_after,
            )


def state_of(tx: Transaction, ticket_id: str) -> lifecycle.TicketState:
    """What the loaded row of the ticket says."""
    row = tx.rows(tables.tickets).get(ticket_id)
    if row is None:
        return lifecycle.TicketState()
    return lifecycle.TicketState(row["status"], row["version"], row["solved_at"])


def _payload(ticket_id: str, solved_at: datetime, cause: str) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "solved_at": solved_at.isoformat(), "cause": cause}


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id
