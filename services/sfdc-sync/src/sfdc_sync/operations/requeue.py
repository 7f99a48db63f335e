"""Records that are written once more, because an operator says so."""

from collections.abc import Collection

from sqlalchemy import func, select, update

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.tables import ticket_records, tickets
from supportops.store import Transaction


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
        payload = {"ticket_id": row.ticket_id, "fact": fact}
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
