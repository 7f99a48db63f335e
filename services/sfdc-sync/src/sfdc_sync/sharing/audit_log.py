"""The audit log in the database: appended in the transaction of what it tells, never changed."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.sharing.rules.audit import Entry, broken_at
from sfdc_sync.tables import sharing_audit, sharing_audit_head
from supportops.store import Transaction

_A, _H = sharing_audit, sharing_audit_head
_PAGE = 1_000


async def append(
    tx: Transaction, request: int, action: str, by: str, via: str, details: Mapping[str, Any]
) -> int:
    """Add an entry; its number. The row of the log's end is held until the transaction ends: one after the other."""
    taken = update(_H).where(_H.c.id == 1).values(number=_H.c.number + 1).returning(_H.c.number, _H.c.digest)
    head = (await tx.execute(taken)).one()
    entry = Entry(head.number, tx.now, request, action, by, via, details, head.digest)
    row = {
        "number": entry.number,
        "happened_at": entry.at,
        "request": request,
        "action": action,
        "actor": by,
        "via": via,
        "details": orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode(),
        "previous": entry.previous,
        "digest": entry.digest,
    }
    await tx.execute(insert(_A), row)
    await tx.execute(update(_H).where(_H.c.id == 1).values(digest=entry.digest))
    return entry.number


async def entries(conn: AsyncConnection, request: int | None = None) -> AsyncIterator[tuple[Entry, str]]:
    """Every entry, or those of one request, oldest first, with the hash that is stored with it."""
    after = 0
    while True:
        query = select(_A).where(_A.c.number > after).order_by(_A.c.number).limit(_PAGE)
        if request is not None:
            query = query.where(_A.c.request == request)
        rows = (await conn.execute(query)).all()
        for row in rows:
            details = orjson.loads(row.details)
            yield (
                Entry(
                    row.number,
                    row.happened_at,
                    row.request,
                    row.action,
                    row.actor,
                    row.via,
                    details,
                    row.previous,
                ),
                row.digest,
            )
        if len(rows) < _PAGE:
            return
        after = rows[-1].number


async def head(conn: AsyncConnection) -> tuple[int, str]:
    """Number and hash of the last entry."""
    row = (await conn.execute(select(_H.c.number, _H.c.digest).where(_H.c.id == 1))).one()
    return row.number, row.digest


async def verify(conn: AsyncConnection, expected: str | None = None) -> str | None:
    """What is wrong with the log; None: nothing. `expected`: a hash that was noted elsewhere and must be in it."""
    read = [each async for each in entries(conn)]
    wrong = broken_at(read, await head(conn))
    if wrong is None and expected is not None and expected not in {digest for _, digest in read}:
        return f"no entry has the hash {expected[:64]}: the log is not the one that it was noted from"
    return wrong
