"""How many tickets of organizations are open, as far as events have told us."""

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import select

from sfdc_sync.tables import tickets
from sfdc_sync.ticket_records.state import TicketState
from supportops.store import Store

SETTLED = frozenset({"solved", "closed", "deleted"})
PAGE = 2_000


async def open_tickets(store: Store, organization_ids: Collection[str]) -> Mapping[str, int]:
    """Organization's id -> its tickets that are neither solved nor closed; of those that we have heard of.

    Read in pages: a run over everything must not hold a table in memory.
    """
    found: Counter[str] = Counter()
    wanted = set(organization_ids)
    after = ""
    while wanted:
        query = select(tickets.c.ticket_id, tickets.c.state).where(
            ~tickets.c.erased, tickets.c.ticket_id > after
        )
        async with store.reading() as conn:
            rows = (await conn.execute(query.order_by(tickets.c.ticket_id).limit(PAGE))).all()
        for _, state in rows:
            known = TicketState.parse(state).fields()
            key = str(known.get("organization_id") or "")
            if key in wanted and known.get("status", "open") not in SETTLED:
                found[key] += 1
        if len(rows) < PAGE:
            break
        after = rows[-1][0]
    return found
