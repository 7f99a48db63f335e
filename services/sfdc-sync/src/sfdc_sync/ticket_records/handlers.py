"""Ticket events in: what we know of the ticket is kept, and each fact that the rules name becomes one delivery
(docs/rules.md S1).

The other events only bring our knowledge up to date, so that whatever is written is the newest state, also after a
backlog.
"""

from sfdc_sync.destinations import TICKET_COMMENT, TICKET_RECORD
from sfdc_sync.policy.fields import STATE_SOURCES
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.tables import tickets
from sfdc_sync.ticket_records.decisions import Known, facts_of, implied
from sfdc_sync.ticket_records.fit import Value
from sfdc_sync.ticket_records.state import TicketState
from supportops.contracts import TicketCommented, TicketDeleted, TicketEvent
from supportops.contracts.tickets import TICKET_EVENTS
from supportops.messaging import Handlers
from supportops.store import Transaction

ALWAYS_KEPT = frozenset({"organization_id", "requester_id", "deleted"})
"""Whom the ticket is of decides its account and contact, and with that its batch."""
ERASED: Known = {"status": "deleted", "deleted": True}
"""All that is left of a ticket that Zendesk has forgotten."""


class TicketHandlers:
    """Handlers of ticket events. Only the fields that the record's rules want are kept."""

    def __init__(self, policy: TicketRecordPolicy) -> None:
        self._policy = policy
        self._kept = (policy.sources & STATE_SOURCES) | ALWAYS_KEPT

    def table(self) -> Handlers:
        """The map of this consumer."""
        handlers = Handlers()
        for kind in TICKET_EVENTS:
            handlers.on(kind, self.on_event, ((tickets, _ticket_id),))
        return handlers

    def on_event(self, event: TicketEvent, tx: Transaction) -> None:
        """Keep what the event tells, and schedule what follows from it."""
        before, after = self._remember(event, tx)
        for fact in facts_of(self._policy, event, before, after):
            _schedule(event, fact, tx)
        if self._policy.comments.enabled and isinstance(event, TicketCommented) and event.comment.is_public:
            _schedule_comment(event, tx)

    def _remember(self, event: TicketEvent, tx: Transaction) -> tuple[Known | None, Known]:
        """Merge what the event tells into what we know; nothing older ever wins. What was known, and what is."""
        rows = tx.rows(tickets)
        row = rows.get(event.ticket_id)
        state = TicketState.parse(row["state"] if row else None)
        before = None if row is None else state.fields()
        if row is not None and row["erased"]:
            return before, state.fields()
        revision = row["revision"] if row else 0
        if isinstance(event, TicketDeleted) and event.permanently:
            erased = TicketState().merged(event.version, ERASED)
            values = {"state": erased.dump(), "revision": revision + 1, "erased": True}
            rows.put(event.ticket_id, **values, changed_at=tx.now)
            return before, erased.fields()
        after = state.merged(event.version, self._known_from(event))
        if after is state and row is not None:
            return before, after.fields()
        changed = before is None or after.fields() != before
        values = {"state": after.dump(), "revision": revision + (1 if changed else 0), "erased": False}
        rows.put(event.ticket_id, **values, changed_at=tx.now)
        return before, after.fields()

    def _known_from(self, event: TicketEvent) -> dict[str, Value]:
        """What the event says about the ticket; what it does not say is absent."""
        snapshot = event.ticket.model_dump(mode="json", exclude_unset=True)
        known = {**implied(event), **snapshot}
        return {name: value for name, value in known.items() if name in self._kept}


def _schedule(event: TicketEvent, fact: str, tx: Transaction) -> None:
    """One row per ticket and fact. It only names the ticket: what is sent is the newest state by then."""
    tx.deliveries.schedule(
        TICKET_RECORD,
        f"{event.ticket_id}:{fact}",
        lane=event.ticket_id,
        payload={"ticket_id": event.ticket_id, "fact": fact},
    )


def _schedule_comment(event: TicketCommented, tx: Transaction) -> None:
    """One row per public comment, by its id. Its text is read when it is written."""
    tx.deliveries.schedule(
        TICKET_COMMENT,
        f"{event.ticket_id}:{event.comment.id}",
        lane=event.ticket_id,
        payload={"ticket_id": event.ticket_id, "comment_id": event.comment.id},
    )


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id
