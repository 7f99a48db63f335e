"""The one door to `facts`, what the numbers know of a ticket. Whoever learns something of it notes it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csat import tables
from supportops.store import Transaction


async def note(tx: Transaction, ticket_id: str, **values: Any) -> None:
    """Lay `values` over what is known of the ticket; the tally follows within a second."""
    await tx.load(tables.ticket_facts, [ticket_id])
    note_loaded(tx, ticket_id, **values)


def note_loaded(tx: Transaction, ticket_id: str, **values: Any) -> None:
    """The same for handlers, which declare `tables.ticket_facts` among their reads."""
    rows = tx.rows(tables.ticket_facts)
    known = rows.get(ticket_id)
    if known is None or any(known.get(name) != value for name, value in values.items()):
        rows.put(ticket_id, **values, noted_at=tx.now, stale=True)


async def note_decided(tx: Transaction, ticket_id: str, solved_at: datetime) -> None:
    """It was decided about the survey of this solve, if that is the solve that counts."""
    rows = await tx.load(tables.ticket_facts, [ticket_id])
    known = rows.get(ticket_id)
    if known is None or known.get("solved_at") == solved_at:
        note_loaded(tx, ticket_id, solved_at=solved_at, decided=True)


def note_solved(tx: Transaction, ticket_id: str, solved_at: datetime) -> None:
    """The ticket was solved: from now on this solve counts, unless its requester was asked about an earlier one."""
    known = tx.rows(tables.ticket_facts).get(ticket_id)
    asked = known is not None and known.get("asked_at") is not None and known.get("solved_at") is not None
    if known is None or (known.get("solved_at") != solved_at and not asked):
        note_loaded(tx, ticket_id, solved_at=solved_at, decided=False)


def note_reopened(tx: Transaction, ticket_id: str) -> None:
    """The ticket is open again: it does not count, unless its requester was asked or has answered."""
    known = tx.rows(tables.ticket_facts).get(ticket_id)
    if known is not None and known.get("asked_at") is None and known.get("score") is None:
        note_loaded(tx, ticket_id, solved_at=None, decided=False)


async def note_described(
    tx: Transaction, ticket_id: str, solved_at: datetime, names: Mapping[str, str]
) -> bool:
    """What the ticket looked like when it was solved at `solved_at`; False when that solve does not count any more.

    `names`: form, plan, region, group_name, assignee; "" where there is none.
    """
    rows = await tx.load(tables.ticket_facts, [ticket_id])
    known = rows.get(ticket_id)
    if known is None or known.get("solved_at") != solved_at:
        return False
    note_loaded(tx, ticket_id, **names, described_at=tx.now)
    return True


async def note_asked(tx: Transaction, ticket_id: str, asked_at: datetime, solved_at: datetime | None) -> None:
    """Zendesk itself asked the requester; `solved_at`: after which solve, should we not know of one that counts."""
    rows = await tx.load(tables.ticket_facts, [ticket_id])
    known = rows.get(ticket_id) or {}
    if known.get("asked_at") is None:
        solve = known.get("solved_at") or solved_at
        note_loaded(tx, ticket_id, solved_at=solve, decided=True, asked_at=asked_at)


@dataclass(frozen=True)
class HistoricTicket:
    """A solved ticket of the past, as Zendesk shows it now; `names` as in `note_described`."""

    ticket_id: str
    solved_at: datetime
    names: Mapping[str, str]
    asked_at: datetime | None
    decided: bool


def note_past(tx: Transaction, past: HistoricTicket, *, tracked: bool) -> bool:
    """Lay a ticket of the past under what is known of it; True when that added something.

    The ticket's facts are loaded. `tracked`: csat follows the ticket by its events and knows better when it was solved
    and whether its requester was asked; then only names that were never read are filled in.
    """
    known = tx.rows(tables.ticket_facts).get(past.ticket_id) or {}
    values: dict[str, Any] = {}
    counts_already = known.get("solved_at") is not None and known.get("asked_at") is not None
    solved_at = known.get("solved_at")
    if not tracked and not counts_already:
        values["solved_at"] = solved_at = past.solved_at
    if not tracked:
        values["decided"] = past.decided or bool(known.get("decided"))
        values["asked_at"] = known.get("asked_at") or past.asked_at
    new_solve = solved_at != known.get("solved_at")
    if (known.get("described_at") is None or new_solve) and solved_at == past.solved_at:
        values |= {**past.names, "described_at": tx.now}
    if all(known.get(name) == value for name, value in values.items()):
        return False
    note_loaded(tx, past.ticket_id, **values)
    return True
