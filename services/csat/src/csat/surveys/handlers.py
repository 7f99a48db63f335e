"""Ticket events in, survey timers out: handler code, so it touches our own tables only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from csat import tables
from csat.destinations import DESCRIPTION, NATIVE_RATING, SURVEY
from csat.kpi import ticket_facts
from csat.surveys import event_log, people, survey_clock
from csat.surveys.repository import solve_key
from supportops.contracts import TicketEvent, TicketMerged, TicketRated, TicketReopened, TicketSolved
from supportops.messaging import Handlers
from supportops.store import Transaction


class SurveyHandlers:
    """Arms a survey `survey_after` a solve, and takes it back when the ticket was reopened (C3).

    Events of our own integration users count like all others: csat changes no status, so there is no loop.
    """

    def __init__(self, survey_after: timedelta) -> None:
        self._survey_after = survey_after

    def table(self) -> Handlers:
        """The table of what csat listens to."""
        ticket, numbers = (tables.tickets, _ticket_id), (tables.ticket_facts, _ticket_id)
        handlers = Handlers()
        handlers.on(TicketSolved, self.on_ticket_solved, reads=(ticket, numbers))
        handlers.on(TicketReopened, self.on_ticket_reopened, reads=(ticket, numbers))
        handlers.on(TicketMerged, self.on_ticket_merged, reads=(ticket,))
        handlers.on(TicketRated, self.on_ticket_rated)
        people.add_handlers(handlers)
        return handlers

    def on_ticket_solved(self, event: TicketSolved, tx: Transaction) -> None:
        """Start the ticket's clock, and have read what the ticket looks like at this moment."""
        step = survey_clock.solved(state_of(tx, event.ticket_id), event.version, event.solved_at)
        event_log.note(tx, event, "solved", news=step is not None)
        self.apply(tx, event.ticket_id, step, event.root_id, known_of(event))
        if step is not None and event.knows("requester_id"):
            tx.rows(tables.tickets).put(event.ticket_id, requester_id=event.ticket.requester_id)

    def on_ticket_reopened(self, event: TicketReopened, tx: Transaction) -> None:
        """Stop the ticket's clock."""
        step = survey_clock.reopened(state_of(tx, event.ticket_id), event.version)
        event_log.note(tx, event, "reopened", news=step is not None)
        self.apply(tx, event.ticket_id, step, event.root_id)

    def on_ticket_merged(self, event: TicketMerged, tx: Transaction) -> None:
        """Remember that this very ticket was merged: a tag would also be on its follow-ups (C5)."""
        rows = tx.rows(tables.tickets)
        if rows.get(event.ticket_id) is None:
            rows.put(event.ticket_id, status="unknown", version="", solved_at=None)
        rows.put(event.ticket_id, merged_at=event.time, changed_at=tx.now)
        event_log.note(tx, event, "merged")

    def on_ticket_rated(self, event: TicketRated, tx: Transaction) -> None:
        """A hint that Zendesk's own rating changed: have the truth read (docs/vendors/zendesk.md#rating-events)."""
        event_log.note(tx, event, "rated")
        read_rating(tx, event.id, event.ticket_id, RatingHint(event.root_id, event.time, event.score))

    def apply(
        self,
        tx: Transaction,
        ticket_id: str,
        step: survey_clock.Transition | None,
        cause: str,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a step of the ticket's clock; `cause` is the correlation id of the event, `known` what it told."""
        if step is None:
            return
        state = step.state
        values = {"status": state.status, "version": state.version, "solved_at": state.solved_at}
        tx.rows(tables.tickets).put(ticket_id, **values, changed_at=tx.now)
        if state.status == "solved" and state.solved_at is not None:
            ticket_facts.note_solved(tx, ticket_id, state.solved_at)
        elif state.status == "reopened":
            ticket_facts.note_reopened(tx, ticket_id)
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
            tx.deliveries.schedule(
                DESCRIPTION,
                solve_key(ticket_id, step.arm),
                lane=ticket_id,
                payload=_payload(ticket_id, step.arm, cause) | {"known": known or {}},
            )


@dataclass(frozen=True)
class RatingHint:
    """That a ticket's rating changed: which event tells (its correlation id), when, and the score if it says one."""

    cause: str
    at: datetime
    score: str | None


def read_rating(tx: Transaction, key: str, ticket_id: str, hint: RatingHint) -> None:
    """Have Zendesk's own rating of the ticket read; `key` names the hint."""
    said = {"cause": hint.cause, "hinted_at": hint.at.isoformat(), "score": hint.score}
    tx.deliveries.schedule(NATIVE_RATING, key, lane=ticket_id, payload={"ticket_id": ticket_id} | said)


def state_of(tx: Transaction, ticket_id: str) -> survey_clock.TicketState:
    """What the loaded row of the ticket says."""
    row = tx.rows(tables.tickets).get(ticket_id)
    if row is None:
        return survey_clock.TicketState()
    return survey_clock.TicketState(row["status"], row["version"], row["solved_at"])


def _payload(ticket_id: str, solved_at: datetime, cause: str) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "solved_at": solved_at.isoformat(), "cause": cause}


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id


def known_of(event: TicketEvent) -> dict[str, Any]:
    """Ids and tags that the event itself told about the ticket; what it did not tell is left out."""
    names = ("form_id", "group_id", "assignee_id", "organization_id", "tags")
    return {name: getattr(event.ticket, name) for name in names if event.knows(name)}
