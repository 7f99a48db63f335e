"""Which events csat took of a ticket, kept for its story: handler code, one bulk insert for a whole batch."""

from csat import tables
from supportops.contracts import TicketEvent
from supportops.store import Transaction


def note(tx: Transaction, event: TicketEvent, kind: str, *, news: bool = True) -> None:
    """Keep that `event` was taken; `news`: False when we knew something newer already, so that it changed nothing."""
    tx.add(  # an event that is processed anew (`ingest replay --reprocess`) keeps its first line
        tables.happenings,
        event_id=event.id,
        ticket_id=event.ticket_id,
        kind=kind,
        road=event.road,
        news=news,
        happened_at=event.time,
        seen_at=tx.now,
    )
