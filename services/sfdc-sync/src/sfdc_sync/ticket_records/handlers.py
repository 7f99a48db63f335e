"""Ticket events in: what we know of the ticket is kept, and each fact of S1 becomes one delivery (handbook
S1).

A record is written when a ticket is created and when it is solved, by an agent or an automation. The other
events only bring our knowledge up to date, so that whatever is written is the newest state, also after a
backlog.
"""

from collections.abc import Collection
from datetime import UTC

from sqlalchemy import func, select, update

from sfdc_sync.settings import REQUESTER_SOURCES, STATE_SOURCES, TicketRecordRules
from sfdc_sync.tables import TicketState, ticket_records, tickets
from sfdc_sync.ticket_records.mapping import Value
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

TICKET_RECORD = "salesforce.ticket_record"


class TicketHandlers:
    """Handlers of ticket events. Only the fields that the record's rules want are kept."""

    def __init__(self, rules: TicketRecordRules) -> None:
        self._kept = set(rules.sources & STATE_SOURCES) | {"organization_id"}  # batches are sorted by it
        if rules.sources & REQUESTER_SOURCES:
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
        after = before.merged(event.version, self._told(event))
        if after is before and row is not None:
            return
        changed = after.fields() != before.fields()
        revision = (row["revision"] if row else 0) + (1 if changed or row is None else 0)
        rows.put(event.ticket_id, state=after.dump(), revision=revision, erased=False, changed_at=tx.now)

    def _told(self, event: TicketEvent) -> dict[str, Value]:
        """What the event says about the ticket; what it does not say is absent."""
        snapshot = event.ticket.model_dump(mode="json", exclude_unset=True)
        told = {**_implied(event), **snapshot}
        return {name: value for name, value in told.items() if name in self._kept}


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
        payload={
            "ticket_id": event.ticket_id,
            "fact": fact,
            "correlation_id": event.correlation_id or event.id,
        },
    )


async def write_again(tx: Transaction, ticket_ids: Collection[str]) -> list[str]:
    """Have the records of these tickets written once more, whatever Salesforce holds; the ids that we know.

    For operators: a finished delivery is never revived, so this is a new fact with a new revision.
    """
    again = (
        update(tickets)
        .where(tickets.c.ticket_id.in_(sorted(ticket_ids)), tickets.c.erased.is_(False))
        .values(revision=tickets.c.revision + 1, changed_at=tx.now)
        .returning(tickets.c.ticket_id, tickets.c.revision)
    )
    rows = (await tx.execute(again)).all()
    for row in rows:
        fact = f"again:{row.revision}"
        payload = {"ticket_id": row.ticket_id, "fact": fact, "correlation_id": None}
        tx.deliveries.schedule(TICKET_RECORD, f"{row.ticket_id}:{fact}", lane=row.ticket_id, payload=payload)
    return sorted(row.ticket_id for row in rows)


async def given_up(tx: Transaction) -> list[str]:
    """Tickets with a dead delivery whose present state Salesforce does not hold."""
    dead = tx.tables.deliveries
    query = (
        select(tickets.c.ticket_id)
        .join(dead, dead.c.lane == tickets.c.ticket_id)
        .outerjoin(ticket_records, ticket_records.c.ticket_id == tickets.c.ticket_id)
        .where(dead.c.destination == TICKET_RECORD, dead.c.state == "dead", tickets.c.erased.is_(False))
        .where(func.coalesce(ticket_records.c.revision, 0) < tickets.c.revision)
        .distinct()
    )
    return sorted((await tx.execute(query)).scalars())


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
