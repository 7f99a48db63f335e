"""What became of the notices that are no breach notices: those posted, on their way, and decided against."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.destinations import NOTICES, POSTS
from notifier.notices.payloads import Notice
from notifier.posting.message_log import state_words
from notifier.posting.prepared import NOTE, note_of
from supportops.store.tables import ENGINE, active


@dataclass(frozen=True)
class OtherNotice:
    """One notice. `rule`: who wanted it; `channel`: where it goes, None while that is not decided; `at`: when it ended,
    or is due.
    """

    kind: str
    rule: str
    ticket_id: str
    channel: str | None
    at: datetime
    state: str
    why: str


async def other_notices(
    conn: AsyncConnection, since: datetime, until: datetime, limit: int
) -> list[OtherNotice]:
    """The notices that ended from `since` to `until`, or are due before then and have not ended; the newest first.

    At most `limit` of each: decisions that led to no message (a message tells of the others), and messages. Nothing
    that they say is told, as they may show customers' words.
    """
    d = ENGINE.deliveries
    decisions = and_(d.c.destination == NOTICES, or_(d.c.state != "done", d.c.outcome.not_like(_DONE)))
    messages = and_(d.c.destination == POSTS, d.c.payload.contains(f'"{NOTE}":', autoescape=True))
    ended = and_(d.c.finished_at >= since, d.c.finished_at < until)
    found: list[OtherNotice] = []
    for which in (decisions, messages):
        for when, moment in ((ended, d.c.finished_at), (and_(active(d), d.c.due_at < until), d.c.due_at)):
            query = select(d).where(which, when).order_by(moment.desc(), d.c.id).limit(limit)
            rows = (await conn.execute(query)).mappings()
            found += [told for row in rows if (told := _notice(row)) is not None]
    return sorted(dict.fromkeys(found), key=lambda each: each.at, reverse=True)


_DONE = '{"kind":"done"%'


def _notice(row: Mapping[Any, Any]) -> OtherNotice | None:
    payload = orjson.loads(row["payload"])
    at = row["finished_at"] or row["due_at"]
    state, why = state_words(row["state"], row["outcome"])
    if row["destination"] == NOTICES:
        notice = msgspec.convert(payload, Notice)
        return OtherNotice(notice.kind, notice.kind, notice.ticket_id, None, at, state, why)
    note = note_of(payload)
    if note is None:
        return None
    return OtherNotice(note.kind, note.rule, note.ticket_id, row["lane"], at, state, why)
