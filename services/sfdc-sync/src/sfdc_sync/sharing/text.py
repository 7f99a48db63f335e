"""A sharing request in words and as JSON, for the command line and the page."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.destinations import SHARING, SHARING_CHECK, SHARING_COMMENT
from sfdc_sync.sharing import audit_log, repository
from sfdc_sync.sharing.repository import Stored
from sfdc_sync.sharing.rules.access import Change
from sfdc_sync.sharing.rules.audit import Entry
from sfdc_sync.sharing.rules.options import OPTIONS
from supportops.operations.delivery_history import calls_where
from supportops.operations.timeline import waits_of
from supportops.runtime.output import emit
from supportops.store.tables import ENGINE

DESTINATIONS = (SHARING_CHECK, SHARING, SHARING_COMMENT)


def row(stored: Stored) -> dict[str, Any]:
    """One line of a list."""
    request = stored.request
    return {
        "request": request.number,
        "organization": request.organization_id,
        "name": stored.organization,
        "option": request.option,
        "state": request.state,
        "ticket": request.ticket_id,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at,
        "decided_by": request.decided_by,
        "reason": request.reason,
    }


async def document(conn: AsyncConnection, number: int, now: datetime) -> dict[str, Any] | None:
    """All that is known of a request; None where there is none."""
    stored = await repository.find(conn, number)
    if stored is None:
        return None
    d = ENGINE.deliveries.c
    mine = d.destination.in_(DESTINATIONS) & (d.key.startswith(f"{number}:", autoescape=True))
    calls = await calls_where(conn, mine, now)
    request = stored.request
    audit = [entry(*each) async for each in audit_log.entries(conn, number)]
    return {
        **row(stored),
        "effect": OPTIONS[request.option].effect,
        "selected": list(request.selected),
        "source": stored.source,
        "read_at": stored.read_at,
        "seen": request.seen,
        "decided_at": stored.decided_at,
        "applied_at": stored.applied_at,
        "finished_at": stored.finished_at,
        "access": [change(each) for each in ordered(stored.changes)],
        "before": asdict(stored.before) if stored.before else None,
        "target": asdict(stored.target) if stored.target else None,
        "waits": waits_of(calls, now),
        "drift": await repository.drift_of(conn, number),
        "left_alone": [
            {
                "subject": each["subject"] or request.organization_id,
                **{name: each[name] for name in ("field", "wanted", "found")},
            }
            for happened in audit
            for each in happened["details"].get("left_alone", ())
        ],
        "audit": audit,
    }


def ordered(changes: Sequence[Change]) -> list[Change]:
    """What opens first, then what closes, then all else; by name."""
    return sorted(changes, key=lambda each: (not each.opens, not each.closes, each.user, each.organization))


def change(found: Change) -> dict[str, Any]:
    """One person's access now and then, in words."""
    return {
        "user_id": found.user_id,
        "user": found.user,
        "organization_id": found.organization_id,
        "organization": found.organization,
        "now": found.now.words,
        "then": found.then.words,
        "means": means(found),
    }


def means(found: Change) -> str:
    """What a change does to somebody, in one word."""
    return "opens" if found.opens else "closes" if found.closes else "stays"


def entry(found: Entry, digest: str) -> dict[str, Any]:
    """One entry of the audit log."""
    return {
        "entry": found.number,
        "at": found.at,
        "request": found.request,
        "action": found.action,
        "by": found.by,
        "via": found.via,
        "details": dict(found.details),
        "hash": digest,
    }


def show(told: Mapping[str, Any]) -> None:
    """The document for people: how it stands, who may see what, and what happened."""
    lists = ("access", "audit", "drift", "left_alone", "before", "target", "waits")
    standing = {name: value for name, value in told.items() if name not in lists and value not in (None, "")}
    emit({**standing, **told["waits"]}, as_json=False, title=f"Request {told['request']}: how it stands")
    columns = ("means", "user", "organization", "now", "then")
    people = [{name: each[name] for name in columns} for each in told["access"]]
    emit(people, as_json=False, title="Who may see what, now and then")
    if told["drift"]:
        emit(told["drift"], as_json=False, title="Changed by hand since")
    if told["left_alone"]:
        sys.stdout.write("changed by hand before it was undone, and so left alone:\n")
        emit(
            told["left_alone"], as_json=False, title="Changed by hand before it was undone, and so left alone"
        )
    happened = [
        {
            "at (UTC)": f"{each['at']:%Y-%m-%d %H:%M:%S}",
            "action": each["action"],
            "by": each["by"],
            "via": each["via"],
            "why": each["details"].get("reason", ""),
        }
        for each in told["audit"]
    ]
    emit(happened, as_json=False, title="What happened")
