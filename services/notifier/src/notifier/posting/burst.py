"""Many lines become one message: a burst that the channel cannot take, and lines that are held back.

A line that is due hands over all lines that wait in its lane to a summary, a note of its own in the same lane; nothing
is posted by that, so that a crash loses and doubles nothing. Lanes are worked through one row at a time: while a line
hands over, the summary is not in flight.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import Row, Select, func, select, true

from notifier.destinations import POSTS
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.prepared import NOTE, SUMMARY, Note
from supportops.delivery.destination import Delivery, Done, Outcome
from supportops.store import Store, Transaction
from supportops.store.tables import ENGINE

SUMMARY_NOTE = "summary"
MOST_AT_ONCE = 5_000  # lines that one hand-over moves; what is left waits for the next
_D = ENGINE.deliveries.c
_WAITING = (_D.destination == POSTS, _D.state == "waiting")


@dataclass(frozen=True)
class Hold:
    """Lines are not posted before `until`. `key` is equal for lines that end in one message; `why` is for people.

    `feed`: everything that waits for this feed is held with the line; None: the line alone.
    """

    key: str
    until: datetime
    why: str
    feed: str | None = None


class Bursts:
    """Hands lines over to summaries."""

    def __init__(self, policy: NotifierPolicy, store: Store) -> None:
        self._store = store
        self._window = policy.burst_window
        pace = policy.channel_pace
        self._most = None if not pace else int(60 / pace.total_seconds())

    async def collapse(self, delivery: Delivery) -> Outcome | None:
        """Hand over what waits, if it is more than the channel takes in a minute, or a summary is in the making."""
        if self._most is None:
            return None
        now = self._store.clock.now()
        prefix = f"{delivery.lane}:{SUMMARY_NOTE}:"
        async with self._store.reading() as conn:
            seen = (await conn.execute(_lines_and_summary(delivery, now, self._most, prefix))).one()
            if seen.key is None and seen.lines < self._most:
                return None
            lines = (await conn.execute(_all_lines(delivery, now))).all()
        pending = seen if seen.key is not None else None
        due = pending.due_at if pending is not None else now + self._window
        key = pending.key if pending is not None else f"{prefix}{due:%Y%m%dT%H%M%S.%f}"
        why = "more than the channel takes in a minute"
        return self._hand_over(delivery, lines, pending, Hold(key, due, why))

    async def hold(self, delivery: Delivery, hold: Hold) -> Outcome:
        """Hand over one line, or all of its feed, to what is posted when the hold ends."""
        key = f"{delivery.lane}:held:{hold.key}"
        lines: Sequence[Row[Any]] = []
        async with self._store.reading() as conn:
            pending = await _pending(conn, delivery.lane, key)
            if hold.feed is not None:
                lines = (await conn.execute(_all_lines(delivery, self._store.clock.now()))).all()
        mine = [line for line in lines if orjson.loads(line.payload).get("feed") == hold.feed]
        return self._hand_over(delivery, mine, pending, Hold(key, hold.until, hold.why))

    def _hand_over(
        self, delivery: Delivery, lines: Sequence[Row[Any]], pending: Row[Any] | None, into: Hold
    ) -> Outcome:
        data = orjson.loads(pending.payload)[NOTE]["data"] if pending is not None else {}
        tickets = Counter(data.get("tickets", {}))
        lines = [line for line in lines if NOTE not in orjson.loads(line.payload)]
        payloads: list[Mapping[str, Any]] = [
            delivery.payload,
            *(orjson.loads(line.payload) for line in lines),
        ]
        tickets.update(str(payload["ticket_id"]) for payload in payloads)
        feeds = sorted({*data.get("feeds", []), *(str(payload["feed"]) for payload in payloads)})
        since = data.get("since") or min(delivery.due_at, into.until).isoformat()
        data = {"tickets": dict(tickets), "feeds": feeds, "since": since, "why": into.why}
        note = Note(SUMMARY_NOTE, feeds[0], data=data)

        def then(tx: Transaction) -> None:
            for line in lines:
                tx.deliveries.cancel(POSTS, line.key, reason=f"in the summary {into.key}")
            tx.deliveries.rearm(
                POSTS,
                into.key,
                lane=delivery.lane,
                payload={NOTE: msgspec.to_builtins(note)},
                due_at=into.until,
                priority=SUMMARY,
            )

        return Done({"in": into.key, "why": into.why}, then)


async def release(tx: Transaction, silence_id: str) -> int:
    """Post now what a silence holds back; how many messages that are."""
    mine = _D.key.contains(f":held:{silence_id}:", autoescape=True)
    query = select(_D.key, _D.lane, _D.payload).where(*_WAITING, mine)
    rows = (await tx.read(query)).all()
    for row in rows:
        payload = orjson.loads(row.payload)
        tx.deliveries.rearm(POSTS, row.key, lane=row.lane, payload=payload, due_at=tx.now, priority=SUMMARY)
    return len(rows)


def _lines(delivery: Delivery, now: datetime) -> tuple[Any, ...]:
    return (*_WAITING, _D.lane == delivery.lane, _D.due_at <= now)


def _all_lines(delivery: Delivery, now: datetime) -> Any:
    return select(_D.key, _D.payload).where(*_lines(delivery, now)).order_by(_D.position).limit(MOST_AT_ONCE)


async def _pending(conn: Any, lane: str, prefix: str) -> Row[Any] | None:
    found: Row[Any] | None = (await conn.execute(_summary(lane, prefix))).first()
    return found


def _summary(lane: str, prefix: str) -> Select[Any]:
    """The summary in the making."""
    query = select(_D.key, _D.payload, _D.due_at).where(*_WAITING, _D.lane == lane)
    return query.where(_D.key.startswith(prefix, autoescape=True)).limit(1)


def _lines_and_summary(delivery: Delivery, now: datetime, most: int, prefix: str) -> Select[Any]:
    """One row, asked for each line: how many `lines` wait in its lane (`most` are counted), and the summary."""
    waiting = select(_D.id).where(*_lines(delivery, now)).limit(most).subquery("waiting")
    lines = select(func.count().label("lines")).select_from(waiting).subquery("counted")
    summary = _summary(delivery.lane, prefix).subquery("summary")
    return select(lines.c.lines, *summary.c).select_from(lines.outerjoin(summary, true()))
