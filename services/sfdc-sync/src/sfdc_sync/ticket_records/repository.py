"""The queries on tickets and their records."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.tables import ticket_records, tickets
from sfdc_sync.ticket_records.decisions import Ticket, account_fact
from sfdc_sync.ticket_records.handlers import ERASED
from sfdc_sync.ticket_records.state import TicketState
from sfdc_sync.ticket_records.written import Written, event_of
from supportops.store import Store, Transaction

_RECORD = ticket_records.c
SETTLED = frozenset({"solved", "closed", "deleted"})
PAGE = 2_000


async def load_tickets(store: Store, ids: Collection[str]) -> dict[str, Ticket]:
    """Tickets that we know, with what Salesforce holds of each."""
    query = (
        select(
            tickets,
            _RECORD.revision.label("written"),
            _RECORD.record_id,
            _RECORD.account_id,
            _RECORD.removed_at,
        )
        .select_from(tickets.outerjoin(ticket_records, _RECORD.ticket_id == tickets.c.ticket_id))
        .where(tickets.c.ticket_id.in_(sorted(ids)))
    )
    async with store.reading() as conn:
        rows = (await conn.execute(query)).mappings().all()
    return {row["ticket_id"]: _ticket(row) for row in rows}


async def skewed_accounts(store: Store, accounts: Collection[str], limit: int) -> set[str]:
    """Those of `accounts` that have at least `limit` records."""
    if not accounts:
        return set()
    query = (
        select(_RECORD.account_id)
        .where(_RECORD.account_id.in_(sorted(accounts)), _RECORD.removed_at.is_(None))
        .group_by(_RECORD.account_id)
        .having(func.count() >= limit)
    )
    async with store.reading() as conn:
        return set((await conn.execute(query)).scalars())


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


@dataclass(frozen=True, slots=True)
class Named:
    """A record that names an account: its ticket, the revision that was written, the ticket's organization."""

    ticket_id: str
    account_id: str
    written: int
    organization_id: str


async def named_accounts(store: Store) -> set[str]:
    """The accounts that records name."""
    query = select(_RECORD.account_id).where(_RECORD.account_id.is_not(None), _RECORD.removed_at.is_(None))
    async with store.reading() as conn:
        return set((await conn.execute(query.distinct())).scalars())


async def records_of(store: Store, accounts: Collection[str]) -> AsyncIterator[list[Named]]:
    """The records that name one of `accounts`, of tickets that are not gone for good; page by page."""
    query = (
        select(_RECORD.ticket_id, _RECORD.account_id, _RECORD.revision, tickets.c.state)
        .join(tickets, tickets.c.ticket_id == _RECORD.ticket_id)
        .where(_RECORD.account_id.in_(sorted(accounts)), _RECORD.removed_at.is_(None), ~tickets.c.erased)
        .order_by(_RECORD.ticket_id)
        .limit(PAGE)
    )
    after = ""
    while True:
        async with store.reading() as conn:
            rows = (await conn.execute(query.where(_RECORD.ticket_id > after))).all()
        yield [
            Named(row.ticket_id, row.account_id, row.revision, _organization_of(row.state)) for row in rows
        ]
        if len(rows) < PAGE:
            return
        after = rows[-1].ticket_id


def _organization_of(state: str) -> str:
    return str(TicketState.parse(state).fields().get("organization_id") or "")


async def rename_accounts(tx: Transaction, wanted: Mapping[Named, str]) -> int:
    """Have records written that are to name another account (`wanted`: its id); how many were not yet under way.

    Once for each revision that was written: who asks again before that write has happened changes nothing.
    """
    facts = {f"{each.ticket_id}:{account_fact(to, each.written)}": each for each, to in wanted.items()}
    book = tx.tables.deliveries.c
    known = set(
        (
            await tx.read(
                select(book.key).where(book.destination == TICKET_RECORD, book.key.in_(sorted(facts)))
            )
        ).scalars()
    )
    fresh = {key: each for key, each in facts.items() if key not in known}
    if not fresh:
        return 0
    ids = sorted(each.ticket_id for each in fresh.values())
    await tx.execute(
        update(tickets)
        .where(tickets.c.ticket_id.in_(ids))
        .values(revision=tickets.c.revision + 1, changed_at=tx.now)
    )
    for key, each in sorted(fresh.items()):
        payload = {"ticket_id": each.ticket_id, "fact": key.removeprefix(f"{each.ticket_id}:")}
        tx.deliveries.schedule(TICKET_RECORD, key, lane=each.ticket_id, payload=payload)
    return len(fresh)


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


def remember_write(event_id: str, written: Written, tx: Transaction) -> None:
    """What follows from a write: what Salesforce holds now, and the event that says so."""
    match = written.match
    account = match.account.account if match.account else None
    contact = match.contact.contact if match.contact else None
    values = {
        "ticket_id": written.ticket.ticket_id,
        "record_id": written.result.record_id,
        "revision": written.ticket.revision,
        "version": written.ticket.version,
        "written_at": tx.now,
        "account_id": account.id if account else None,
        "account_match": match.account.rule.value if match.account else None,
        "contact_id": contact.id if contact else None,
        "contact_match": match.contact.rule.value if match.contact else None,
        "remarks": orjson.dumps(written.remarks).decode() if written.remarks else None,
        "removed_at": None,
    }
    tx.write(_REMEMBER[tx.dialect], **{f"b_{name}": value for name, value in values.items()})
    tx.publish(event_of(event_id, written, tx.now))


def remember_removal(written: Written, tx: Transaction) -> None:
    """The record lies in the recycle bin: from now on the ticket has none."""
    tx.write(
        _REMOVED,
        b_ticket_id=written.ticket.ticket_id,
        b_revision=written.ticket.revision,
        b_removed_at=tx.now,
    )


def _remember(insert: Any) -> Any:
    names = [column.name for column in ticket_records.columns]
    statement = insert(ticket_records).values({name: bindparam(f"b_{name}") for name in names})
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["ticket_id"],
        set_={name: new[name] for name in names if name != "ticket_id"},
        # an older answer that comes late changes nothing
        where=or_(new.revision > _RECORD.revision, _RECORD.removed_at.is_not(None)),
    )


# One statement object per dialect, so that a transaction executes all its writes in bulk.
_REMEMBER = {"sqlite": _remember(sqlite.insert), "postgresql": _remember(postgresql.insert)}
_REMOVED = (
    update(ticket_records)
    .where(_RECORD.ticket_id == bindparam("b_ticket_id"))
    .values(revision=bindparam("b_revision"), removed_at=bindparam("b_removed_at"))
)


def _ticket(row: Mapping[Any, Any]) -> Ticket:
    state = TicketState.parse(row["state"])
    there = row["record_id"] is not None and row["removed_at"] is None
    return Ticket(
        row["ticket_id"],
        {**state.fields(), **(ERASED if row["erased"] else {})},
        state.version,
        row["revision"],
        row["erased"],
        row["written"] if there else 0,
        row["record_id"] if there else "",
        (row["account_id"] or "") if there else "",
    )
