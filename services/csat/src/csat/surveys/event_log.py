"""Which events csat took of a ticket, kept for its story: handler code, one bulk insert for a whole batch."""

from functools import cache
from typing import Any

from csat import tables
from supportops.contracts import TicketEvent
from supportops.store import Transaction
from supportops.store.upsert import insert_for


def note(tx: Transaction, event: TicketEvent, kind: str, *, news: bool = True) -> None:
    """Keep that `event` was taken; `news`: False when we knew something newer already, so that it changed nothing."""
    tx.write(
        _insert(tx.dialect),
        event_id=event.id,
        ticket_id=event.ticket_id,
        kind=kind,
        road=event.road,
        news=news,
        happened_at=event.time,
        seen_at=tx.now,
    )


@cache
def _insert(dialect: str) -> Any:
    """Built once; an event that is processed anew (`ingest replay --reprocess`) keeps its first line."""
    return insert_for(dialect, tables.happenings).on_conflict_do_nothing(index_elements=["event_id"])
