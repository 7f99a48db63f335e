"""Sharing requests in the database: each change of state is one row changed and one entry of the audit log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.sharing import audit_log
from sfdc_sync.sharing.rules.access import Change
from sfdc_sync.sharing.rules.lifecycle import IN_FORCE, OPEN, Action, NotAllowed, Request, State, moved
from sfdc_sync.sharing.rules.options import ORGANIZATION, Option, Sharing, SharingState
from sfdc_sync.sharing.rules.plan import Difference
from sfdc_sync.sharing.rules.template import Draft
from sfdc_sync.tables import sharing_drift, sharing_requests
from supportops.store import Transaction
from supportops.store.upsert import insert_for

_R, _D = sharing_requests, sharing_drift
_FINISHED = frozenset({State.REFUSED, State.EXPIRED, State.UNDONE})


@dataclass(frozen=True)
class Stored:
    """A request with all that its row holds. `changes`: what an approver is shown; gone when names are forgotten."""

    request: Request
    organization: str
    source: str
    changes: tuple[Change, ...]
    read_at: datetime | None
    decided_at: datetime | None
    applied_at: datetime | None
    finished_at: datetime | None
    before: SharingState | None
    target: SharingState | None


@dataclass(frozen=True)
class Actor:
    """Who does something, and from where: `command line`, `page`, `import` or `worker`."""

    name: str
    via: str


WORKER = Actor("sfdc-sync", "worker")


async def add(tx: Transaction, draft: Draft, by: Actor, source: str) -> int:
    """A new request; its number. NotAllowed where the organization has one that is still open."""
    row = {
        "organization_id": draft.organization_id,
        "open_for": draft.organization_id,
        "organization": "",
        "ticket_id": draft.ticket_id,
        "option": draft.option,
        "selected": orjson.dumps(draft.selected).decode(),
        "state": State.CHECKING,
        "requested_by": by.name,
        "requested_at": tx.now,
        "source": source,
        "reason": "",
    }
    known = select(_R.c.number).where(_R.c.open_for == draft.organization_id)
    number = (await tx.read(known)).scalar()
    if number is not None:
        raise NotAllowed(f"request {number} for organization {draft.organization_id} is still open")
    try:
        added: int = (await tx.execute(insert(_R).values(row).returning(_R.c.number))).scalar_one()
    except IntegrityError as error:
        raise NotAllowed(f"another request for organization {draft.organization_id} was just made") from error
    return added


async def locked(tx: Transaction, number: int) -> Stored:
    """The request, for nobody else to change until the transaction ends. NotAllowed where there is none."""
    query = select(_R).where(_R.c.number == number).with_for_update()  # SQLite has one writer anyway
    row = (await tx.read(query)).mappings().first()
    if row is None:
        raise NotAllowed(f"there is no request {number}")
    return _stored(row)


async def move(
    tx: Transaction, stored: Stored, action: Action, by: Actor, details: Mapping[str, Any], **columns: Any
) -> int:
    """Do `action` to a request that is locked, and write it down; the number of the audit entry. NotAllowed."""
    number, state = stored.request.number, moved(stored.request, action)
    open_for = stored.request.organization_id if state in OPEN else None
    finished = tx.now if state in _FINISHED else None
    await remember(tx, number, state=state, open_for=open_for, finished_at=finished, **columns)
    return await audit_log.append(tx, number, action, by.name, by.via, details)


async def remember(tx: Transaction, number: int, **columns: Any) -> None:
    """Change what is known of a locked request without a change of its state."""
    await tx.execute(update(_R).where(_R.c.number == number).values(**columns))


async def find(conn: AsyncConnection, number: int) -> Stored | None:
    """The request of this number."""
    row = (await conn.execute(select(_R).where(_R.c.number == number))).mappings().first()
    return None if row is None else _stored(row)


async def listed(
    conn: AsyncConnection, states: Collection[State] = (), organization_id: str = "", limit: int = 100
) -> list[Stored]:
    """Requests, the newest first; no `states`: of all."""
    query = select(_R).order_by(_R.c.number.desc()).limit(limit)
    if states:
        query = query.where(_R.c.state.in_(sorted(states)))
    if organization_id:
        query = query.where(_R.c.organization_id == organization_id)
    return [_stored(row) for row in (await conn.execute(query)).mappings()]


async def newest_in_force(conn: AsyncConnection) -> dict[str, int]:
    """By organization, the request whose state stands in Zendesk now: the one that was applied last."""
    query = select(_R.c.organization_id, func.max(_R.c.number)).where(_IS_IN_FORCE)
    return {row[0]: row[1] for row in await conn.execute(query.group_by(_R.c.organization_id))}


async def later_in_force(tx: Transaction, request: Request) -> int | None:
    """A request of the same organization that came after and stands in Zendesk; None: there is none."""
    query = select(func.max(_R.c.number)).where(
        _IS_IN_FORCE, _R.c.organization_id == request.organization_id, _R.c.number > request.number
    )
    found: int | None = (await tx.read(query)).scalar()
    return found


async def given_elsewhere(conn: AsyncConnection, organization_id: str) -> set[str]:
    """Users whose own level a request in force for another organization has opened."""
    query = select(_R.c.target).where(_IS_IN_FORCE, _R.c.organization_id != organization_id)
    targets = [state_of(text) for text in (await conn.execute(query)).scalars()]
    return {
        user_id
        for target in targets
        if target is not None
        for user_id, level in target.members.items()
        if level == ORGANIZATION
    }


async def forget_names(tx: Transaction, keep: timedelta) -> None:
    """Names of members go `keep` after the decision; ids of what was set stay, undoing needs them."""
    old = update(_R).where(_R.c.decided_at < tx.now - keep, _R.c.changes.is_not(None))
    await tx.execute(old.where(_R.c.state.not_in(sorted(OPEN))).values(changes=None))


async def record_drift(tx: Transaction, number: int, found: Sequence[Difference]) -> list[Difference]:
    """Keep what differs now, forget what does not any more; returns what is new."""
    rows = (await tx.read(select(_D).where(_D.c.request == number))).all()
    known = {(row.subject, row.field): row.first_seen_at for row in rows}
    await tx.execute(delete(_D).where(_D.c.request == number))
    values = [
        {
            "request": number,
            "subject": each.subject,
            "field": each.field,
            "wanted": each.wanted,
            "found": each.found,
            "first_seen_at": known.get((each.subject, each.field), tx.now),
            "last_seen_at": tx.now,
        }
        for each in found
    ]
    if values:
        await tx.execute(insert_for(tx.dialect, _D), values)
    return [each for each in found if (each.subject, each.field) not in known]


async def drift_of(conn: AsyncConnection, number: int | None = None) -> list[dict[str, Any]]:
    """What differed when Zendesk was last compared, by request."""
    query = select(_D).order_by(_D.c.request, _D.c.subject, _D.c.field)
    if number is not None:
        query = query.where(_D.c.request == number)
    return [dict(row) for row in (await conn.execute(query)).mappings()]


def state_text(state: SharingState) -> str:
    """A state as it stands in a row."""
    found = {
        "tickets": state.organization.tickets,
        "comments": state.organization.comments,
        "members": dict(state.members),
    }
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()


def state_of(text: str | None) -> SharingState | None:
    """What `state_text` gave."""
    if text is None:
        return None
    found = orjson.loads(text)
    return SharingState(Sharing(found["tickets"], found["comments"]), found["members"])


def changes_text(changes: Sequence[Change]) -> str:
    """Changes as they stand in a row."""
    return orjson.dumps([each.as_json() for each in changes]).decode()


_IS_IN_FORCE = _R.c.state.in_(sorted(IN_FORCE)) & _R.c.target.is_not(None)


def _stored(row: Mapping[Any, Any]) -> Stored:
    request = Request(
        number=row["number"],
        organization_id=row["organization_id"],
        ticket_id=row["ticket_id"],
        option=Option(row["option"]),
        selected=tuple(orjson.loads(row["selected"])),
        requested_by=row["requested_by"],
        state=State(row["state"]),
        requested_at=row["requested_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        seen=row["seen"],
    )
    return Stored(
        request,
        row["organization"],
        row["source"],
        tuple(Change.of_json(each) for each in orjson.loads(row["changes"] or "[]")),
        row["read_at"],
        row["decided_at"],
        row["applied_at"],
        row["finished_at"],
        state_of(row["before"]),
        state_of(row["target"]),
    )
