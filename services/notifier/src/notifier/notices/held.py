"""What a silence holds of notices: at its end they are decided anew, and those of one kind and channel become one."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from sqlalchemy import select

from notifier.destinations import POSTS
from notifier.notices.payloads import INTEGRITY
from notifier.posting.alerts import ALERT, lines_of
from notifier.posting.prepared import NOTE, MessageSource, Note, Prepared, note_of
from notifier.posting.silences import Silence, Silences
from supportops.delivery.destination import Delivery, Done, Outcome
from supportops.store import Transaction
from supportops.store.tables import ENGINE

COUNTED = ("new", "fixed")  # of a report: what several runs found together
MOST_LINES = 200


class SilencedByName:
    """A source of notices that a silence holds where it names their kind (or the ticket that they are about)."""

    def __init__(self, source: MessageSource, silences: Silences) -> None:
        self._source, self._silences = source, silences

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        silence = await self._silences.of(rule=note.kind, ticket_id=note.ticket_id, organization_id=None)
        if silence is not None:
            return held(delivery, note, silence)
        return await self._source.prepare(delivery)

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return await self._source.found(delivery)


def held(delivery: Delivery, note: Note, silence: Silence) -> Outcome:
    """Comes again at the silence's end, as a delivery of its own: a lane must not wait for it.

    Alerts of a channel come as one then, and so do integrity runs. `silence end` finds it by its key.
    """
    together = note.kind in (ALERT, INTEGRITY)
    first = f"{delivery.lane}:{note.kind}" if together else delivery.key.partition(":held:")[0]
    key = f"{first}:held:{silence.id}:{silence.ends_at:%Y%m%dT%H%M%S}"

    async def then(tx: Transaction) -> None:
        waiting = await _waiting(tx, key) if together else None
        both = merged(waiting, note) if waiting is not None else note
        payload = {NOTE: msgspec.to_builtins(both)}
        tx.deliveries.rearm(POSTS, key, lane=delivery.lane, payload=payload, due_at=silence.ends_at)

    return Done({"in": key, "why": f"silenced ({silence.reason})"}, then)


def merged(before: Note, note: Note) -> Note:
    """Two held notices of one kind as one; alerts keep their order, of integrity the newest run says what is open."""
    if note.kind == ALERT:
        lines = dict.fromkeys((*lines_of(before), *lines_of(note)))
        return msgspec.structs.replace(note, data={"lines": list(lines)[-MOST_LINES:]})
    older, newer = sorted((before, note), key=lambda each: str(each.data.get("checked_at", "")))
    known = {report["name"]: report for report in older.data.get("reports", [])}
    reports = [_added(known.pop(report["name"], None), report) for report in newer.data.get("reports", [])]
    return msgspec.structs.replace(newer, data=newer.data | {"reports": [*reports, *known.values()]})


def _added(before: Mapping[str, Any] | None, report: Mapping[str, Any]) -> dict[str, Any]:
    return dict(report) | {name: report[name] + before[name] for name in COUNTED if before is not None}


async def _waiting(tx: Transaction, key: str) -> Note | None:
    d = ENGINE.deliveries.c
    query = select(d.payload).where(d.destination == POSTS, d.key == key, d.state == "waiting")
    payload = (await tx.read(query)).scalar()
    return note_of(orjson.loads(payload)) if payload is not None else None
