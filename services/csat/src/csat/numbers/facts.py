"""The one door to `facts`, what the numbers know of a ticket. Whoever learns something of it notes it here."""

from datetime import datetime
from typing import Any

from csat import tables
from supportops.store import Transaction


async def note(tx: Transaction, ticket_id: str, **values: Any) -> None:
    """Lay `values` over what is known of the ticket; the tally follows within a second."""
    await tx.load(tables.facts, [ticket_id])
    note_loaded(tx, ticket_id, **values)


def note_loaded(tx: Transaction, ticket_id: str, **values: Any) -> None:
    """The same for handlers, which declare `tables.facts` among their reads."""
    rows = tx.rows(tables.facts)
    known = rows.get(ticket_id)
    if known is None or any(known.get(name) != value for name, value in values.items()):
        rows.put(ticket_id, **values, noted_at=tx.now, stale=True)


async def note_decided(tx: Transaction, ticket_id: str, solved_at: datetime) -> None:
    """It was decided about the survey of this solve, if that is the solve that counts."""
    rows = await tx.load(tables.facts, [ticket_id])
    known = rows.get(ticket_id)
    if known is None or known.get("solved_at") == solved_at:
        note_loaded(tx, ticket_id, solved_at=solved_at, decided=True)


def note_solved(tx: Transaction, ticket_id: str, solved_at: datetime) -> None:
    """The ticket was solved: from now on this solve counts, unless its requester was asked about an earlier one."""
    known = tx.rows(tables.facts).get(ticket_id)
    if known is None or (known.get("solved_at") != solved_at and known.get("asked_at") is None):
        note_loaded(tx, ticket_id, solved_at=solved_at, decided=False)


def note_reopened(tx: Transaction, ticket_id: str) -> None:
    """The ticket is open again: it does not count, unless its requester was asked or has answered."""
    known = tx.rows(tables.facts).get(ticket_id)
    if known is not None and known.get("asked_at") is None and known.get("score") is None:
        note_loaded(tx, ticket_id, solved_at=None, decided=False)
