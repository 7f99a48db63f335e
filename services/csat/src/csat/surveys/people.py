"""People who have several accounts in Zendesk: a wish, and the right to be forgotten, are the person's.

Zendesk tells that two accounts were merged, and not which of them lives on. So both are one person to us, whichever
id a ticket names.
"""

from collections.abc import Iterable

from sqlalchemy import select

from csat import tables
from supportops.contracts import UserMerged
from supportops.messaging import Handlers
from supportops.store import Transaction
from supportops.store.upsert import insert_for


def add_handlers(handlers: Handlers) -> None:
    """What csat listens to about people."""
    people = tables.requesters
    handlers.on(
        UserMerged,
        on_user_merged,
        reads=((people, lambda event: event.user_id), (people, lambda event: event.other_user_id)),
    )


def on_user_merged(event: UserMerged, tx: Transaction) -> None:
    """Remember that they are one person; who of the two opted out first, opted out for both."""
    ids = (event.user_id, event.other_user_id)
    insert = insert_for(tx.dialect, tables.same_people).on_conflict_do_nothing()
    for one, other in (ids, ids[::-1]):
        tx.write(insert, requester_id=one, other_id=other, merged_at=event.time)
    rows = tx.rows(tables.requesters)
    wishes = [row["opted_out_at"] for each in ids if (row := rows.get(each)) and row["opted_out_at"]]
    for each in ids if wishes else ():
        rows.put(each, opted_out_at=min(wishes), changed_at=tx.now)


async def accounts_of(tx: Transaction, requester_id: str) -> list[str]:
    """All ids of the person who has this one, sorted; itself among them."""
    found, new = {requester_id}, {requester_id}
    links = tables.same_people.c
    while new:
        rows = await tx.read(select(links.other_id).where(links.requester_id.in_(sorted(new))))
        new = set(_ids(rows.scalars())) - found
        found |= new
    return sorted(found)


def _ids(values: Iterable[object]) -> Iterable[str]:
    return (str(value) for value in values)
