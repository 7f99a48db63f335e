"""A group's dead letters as operators see them: read from Kafka, published again for their group, or dropped.

Kafka cannot mark one record as done with, so what was replayed or dropped is a row of the service's own database
(decision 0085). A row counts only for the very bytes it was made for: in a topic that was made anew the same offset is
another letter.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from supportops.contracts import dead_letter_topic
from supportops.errors import Permanent
from supportops.messaging.kafka import Broker
from supportops.messaging.ports import Header
from supportops.messaging.topic_reader import StoredRecord, read_one, read_topic
from supportops.store import Store, Transaction
from supportops.store.outbox import forget_refused, list_refused, publish_again, unpack_headers
from supportops.store.tables import ENGINE
from supportops.store.upsert import insert_into

Action = Literal["replayed", "dropped"]
PREFIX = "dl_"
CUT = "dl_cut"  # how many bytes the value had, of a letter that holds a part of it
REPROCESS = "ce_reprocess"
OUTBOX = "outbox:"  # how the ids of letters begin that are rows of our own


@dataclass(frozen=True)
class LetterFilter:
    """Which letters are meant; what is empty or None does not narrow. `reason`: words that its reason holds."""

    ids: tuple[str, ...] = ()
    since: datetime | None = None
    reason: str | None = None
    subject: str | None = None
    event_type: str | None = None
    handled: bool = False
    """Also those that were replayed or dropped."""


@dataclass(frozen=True)
class Letter:
    """One dead letter. `id` is its place among the letters: partition and offset."""

    id: str
    buried_at: datetime
    stage: str
    reason: str
    attempts: str
    origin: str
    event_type: str
    event_id: str
    subject: str
    bytes: int
    handled: str
    record: StoredRecord = field(repr=False)

    @property
    def is_own(self) -> bool:
        """Whether it is an event of ours that the broker refused, and a row of the outbox instead of a record."""
        return self.id.startswith(OUTBOX)


@dataclass(frozen=True)
class Publishable:
    """The original record, addressed to one group."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]


async def letters(broker: Broker, store: Store, group: str, wanted: LetterFilter) -> AsyncGenerator[Letter]:
    """The group's letters that are there now, oldest first. Raises Retryable when the broker is away."""
    topic = dead_letter_topic(group).name
    marks = await _marks(store, topic)
    async with aclosing(read_topic(broker, topic, wanted.since)) as records:
        async for record in records:
            letter = _letter(record, marks)
            if _is_wanted(letter, wanted):
                yield letter


async def refused_events(store: Store, wanted: LetterFilter, limit: int) -> list[Letter]:
    """Events of this service's own that the broker will never take as they are, as letters that nobody could post.

    They wait in the outbox, under `outbox:<row>`, and are listed without their values. `publish-again` has all of them
    tried once more, `replay` some; to `drop` one deletes it.
    """
    async with store.reading() as conn:
        rows = await list_refused(conn, ENGINE.outbox, limit)
    found = [_refused(row) for row in rows]
    return [letter for letter in found if _is_wanted(letter, wanted)]


def _refused(row: Any) -> Letter:
    headers = tuple(unpack_headers(row.headers))
    record = StoredRecord(row.topic, -1, -1, int(row.created_at.timestamp() * 1000), row.key, None, headers)
    return Letter(
        id=f"{OUTBOX}{row.id}",
        buried_at=row.created_at,
        stage="publish",
        reason=row.refused,
        attempts="1",
        origin=f"outbox for {row.topic}",
        event_type=_of(record, "ce_type"),
        event_id=_of(record, "ce_id"),
        subject=_of(record, "ce_subject"),
        bytes=row.size,
        handled="",
        record=record,
    )


def original(letter: Letter, group: str) -> Publishable:
    """The record as it was before it died, for `group` alone (decision 0050): its bytes and headers, none of ours."""
    return _addressed(letter.record, _of(letter.record, "dl_topic"), group)


def _addressed(record: StoredRecord, topic: str, group: str) -> Publishable:
    headers = [(name, value) for name, value in record.headers if not name.startswith(PREFIX)]
    if not any(name == REPROCESS for name, _ in headers):
        headers.append((REPROCESS, group.encode()))
    return Publishable(topic, record.key, record.value, headers)


async def _whole(broker: Broker, letter: Letter, group: str) -> Publishable:
    """As `original`; of a letter that was too large for its topic and was cut, from where it came from."""
    if not _of(letter.record, CUT):
        return original(letter, group)
    topic, partition, offset = (_of(letter.record, f"dl_{name}") for name in ("topic", "partition", "offset"))
    record = await read_one(broker, topic, int(partition), int(offset))
    if record is None:
        raise Permanent(f"letter {letter.id} was cut, and {letter.origin} is not kept any more: drop it")
    return _addressed(record, topic, group)


async def replay(broker: Broker, store: Store, group: str, chosen: Sequence[Letter]) -> None:
    """Publish the letters' originals again for their group, then remember that; own events go to the relay once more.

    Should we die between the two, the letters are listed once more: what was handled meanwhile the group's inbox knows
    by its event id. Raises Retryable when the broker is away, Permanent when a letter cannot be replayed; then nothing
    is remembered.
    """
    buried = [letter for letter in chosen if not letter.is_own]
    if buried:
        await broker.publish([await _whole(broker, letter, group) for letter in buried])
    async with store.transaction() as tx:
        await _write_marks(tx, buried, "replayed")
        await publish_again(tx.conn, ENGINE.outbox, tx.now, _rows_of(chosen))


async def drop(store: Store, chosen: Sequence[Letter]) -> None:
    """Remember that nothing is to become of these letters; they leave Kafka by retention. Own events are deleted."""
    async with store.transaction() as tx:
        await _write_marks(tx, [letter for letter in chosen if not letter.is_own], "dropped")
        await forget_refused(tx.conn, ENGINE.outbox, _rows_of(chosen))


def _rows_of(chosen: Sequence[Letter]) -> list[str]:
    return [letter.id.removeprefix(OUTBOX) for letter in chosen if letter.is_own]


async def with_value(store: Store, letter: Letter) -> Letter:
    """The letter with what it holds, where it is listed without."""
    if not letter.is_own:
        return letter
    o = ENGINE.outbox
    async with store.reading() as conn:
        value = (await conn.execute(select(o.c.value).where(o.c.id.in_(_rows_of([letter]))))).scalar()
    return replace(letter, record=replace(letter.record, value=value))


async def _write_marks(tx: Transaction, chosen: Sequence[Letter], action: Action) -> None:
    marks = ENGINE.dead_letter_marks
    statement = insert_into(tx.conn, marks)
    new = statement.excluded
    anew = {name: new[name] for name in ("digest", "action", "marked_at")}
    keys = ["topic", "partition", "record_offset"]
    rows = [
        {
            "topic": each.record.topic,
            "partition": each.record.partition,
            "record_offset": each.record.offset,
            "digest": digest(each.record),
            "action": action,
            "marked_at": tx.now,
        }
        for each in chosen
    ]
    if rows:
        await tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=anew), rows)


async def _marks(store: Store, topic: str) -> dict[tuple[int, int], tuple[str, str]]:
    """(partition, offset) to (digest, what was done)."""
    m = ENGINE.dead_letter_marks
    query = select(m.c.partition, m.c.record_offset, m.c.digest, m.c.action).where(m.c.topic == topic)
    async with store.reading() as conn:
        return {(row[0], row[1]): (row[2], row[3]) for row in (await conn.execute(query)).all()}


def digest(record: StoredRecord) -> str:
    """Tells a letter from another one at the same place."""
    parts = [
        record.key or b"",
        record.value or b"",
        *(name.encode() + (value or b"") for name, value in record.headers),
    ]
    lengths = ",".join(str(len(part)) for part in parts).encode()
    return hashlib.sha256(lengths + b"".join(parts)).hexdigest()


def _letter(record: StoredRecord, marks: dict[tuple[int, int], tuple[str, str]]) -> Letter:
    known, action = marks.get((record.partition, record.offset), ("", ""))
    origin = f"{_of(record, 'dl_topic')}:{_of(record, 'dl_partition')}:{_of(record, 'dl_offset')}"
    return Letter(
        id=f"{record.partition}:{record.offset}",
        buried_at=datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
        stage=_of(record, "dl_stage"),
        reason=_of(record, "dl_reason"),
        attempts=_of(record, "dl_attempts"),
        origin=origin,
        event_type=_of(record, "ce_type"),
        event_id=_of(record, "ce_id"),
        subject=_of(record, "ce_subject"),
        bytes=len(record.value or b""),
        handled=action if action and known == digest(record) else "",
        record=record,
    )


def _of(record: StoredRecord, header: str) -> str:
    """The last header of that name as text; bytes that are no text are shown, not hidden."""
    values = [value for name, value in record.headers if name == header]
    return (values[-1] or b"").decode("utf-8", "backslashreplace") if values else ""


def _is_wanted(letter: Letter, wanted: LetterFilter) -> bool:
    return (
        (wanted.handled or not letter.handled)
        and (not wanted.ids or letter.id in wanted.ids)
        and (wanted.since is None or letter.buried_at >= wanted.since)
        and (wanted.reason is None or wanted.reason in letter.reason)
        and (wanted.subject is None or wanted.subject == letter.subject)
        and (wanted.event_type is None or wanted.event_type == letter.event_type)
    )
