"""Ticket events in: what we know of the ticket is kept, and each fact of S1 becomes one delivery (handbook
S1).

A record is written when a ticket is created and when it is solved, by an agent or an automation. The other
events only bring our knowledge up to date, so that whatever is written is the newest state, also after a
backlog.
"""

from datetime import UTC

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.policy.ticket_records import REQUESTER_SOURCES, STATE_SOURCES, TicketRecordPolicy
from sfdc_sync.tables import tickets
from sfdc_sync.ticket_records.mapping import Value
from sfdc_sync.ticket_records.state import TicketState
from supportops.contracts import (
    TicketClosed,
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketReopened,
    TicketSolved,
)
from supportops.contracts.tickets import TICKET_EVENTS
from supportops.messaging import Handlers
from supportops.store import Transaction


class TicketHandlers:
    """Handlers of ticket events. Only the fields that the record's rules want are kept."""

    def __init__(self, policy: TicketRecordPolicy) -> None:
        self._kept = set(policy.sources & STATE_SOURCES) | {"organization_id"}  # batches are sorted by it
        if policy.sources & REQUESTER_SOURCES:
            self._kept.add("requester_id")

    def table(self) -> Handlers:
        """The map of this consumer."""
        handlers = Handlers()
        for kind in TICKET_EVENTS:
            handlers.on(kind, self.remember, ((tickets, _ticket_id),))
        handlers.on(TicketCreated, on_created)
        handlers.on(TicketSolved, on_solved)
        return handlers

    def remember(self, event: TicketEvent, tx: Transaction) -> None:
        """Merge what the event tells into what we know; nothing older ever wins."""
        rows = tx.rows(tickets)
        row = rows.get(event.ticket_id)
        if row is not None and row["erased"]:
            return
        if isinstance(event, TicketDeleted) and event.permanently:
            revision = row["revision"] + 1 if row else 1
            rows.put(event.ticket_id, state="{}", revision=revision, erased=True, changed_at=tx.now)
            return
        before = TicketState.parse(row["state"] if row else None)
        after = before.merged(event.version, self._known_from(event))
        if after is before and row is not None:
            return
        changed = after.fields() != before.fields()
        revision = (row["revision"] if row else 0) + (1 if changed or row is None else 0)
        rows.put(event.ticket_id, state=after.dump(), revision=revision, erased=False, changed_at=tx.now)

    def _known_from(self, event: TicketEvent) -> dict[str, Value]:
        """What the event says about the ticket; what it does not say is absent."""
        snapshot = event.ticket.model_dump(mode="json", exclude_unset=True)
        known = {**_implied(event), **snapshot}
        return {name: value for name, value in known.items() if name in self._kept}


def on_created(event: TicketCreated, tx: Transaction) -> None:
    """The ticket exists: its record is written once for that, whatever road told us."""
    _schedule(event, "created", tx)


def on_solved(event: TicketSolved, tx: Transaction) -> None:
    """The ticket was solved at that moment: solved again later is another fact."""
    solved_at = event.solved_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _schedule(event, f"solved:{solved_at}", tx)


def _schedule(event: TicketEvent, fact: str, tx: Transaction) -> None:
    """One row per ticket and fact. It only names the ticket: what is sent is the newest state by then."""
    tx.deliveries.schedule(
        TICKET_RECORD,
        f"{event.ticket_id}:{fact}",
        lane=event.ticket_id,
        payload={"ticket_id": event.ticket_id, "fact": fact},
    )


def _implied(event: TicketEvent) -> dict[str, Value]:
    """What the kind of event itself says, for roads whose snapshot is partial."""
    match event:
        case TicketSolved():
            return {"status": "solved", "solved_at": event.solved_at.isoformat()}
        case TicketReopened():
            return {"status": event.current_status, "solved_at": None}
        case TicketClosed():
            return {"status": "closed"}
        case TicketDeleted():
            return {"status": "deleted"}
        case _:
            return {}


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id
