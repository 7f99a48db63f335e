"""Records that no retry will help: kept with reason and origin, byte for byte, so that replay is exact."""

from collections.abc import Sequence
from dataclasses import dataclass

from supportops.contracts import dead_letter_topic
from supportops.messaging.ports import Header, Record


@dataclass(frozen=True)
class DeadLetter:
    """The record to publish in a group's dead-letter topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def bury(record: Record, group: str, stage: str, reason: str, attempts: int) -> DeadLetter:
    """The dead letter of `record`: its own key, value and headers, and where and why it died.

    `stage` is "decode" or "handle". The reason carries no payload text.
    """
    origin = {
        "dl_group": group,
        "dl_stage": stage,
        "dl_reason": reason[:1000],
        "dl_attempts": str(attempts),
        "dl_topic": record.topic,
        "dl_partition": str(record.partition),
        "dl_offset": str(record.offset),
    }
    ours = ((name, value.encode(errors="replace")) for name, value in origin.items())
    headers: list[Header] = [*record.headers, *ours]
    return DeadLetter(dead_letter_topic(group).name, record.key, record.value, headers)


CUT_VALUE = 64 * 1024  # bytes of a value that are kept when the whole is too large
CUT_HEADERS = 16 * 1024  # bytes of the record's own headers


def smaller(letter: DeadLetter) -> DeadLetter | None:
    """The same letter for a topic that it is too large for; None when it cannot be made any smaller.

    First the value is cut, then record and headers are left out: topic, partition and offset of the origin say where
    the whole is to be had as long as the origin keeps it. `dl_cut` tells how many bytes the value had.
    """
    own = [(name, value) for name, value in letter.headers if not name.startswith("dl_")]
    ours = [(name, value) for name, value in letter.headers if name.startswith("dl_")]
    value = letter.value or b""
    if "dl_cut" not in dict(ours):
        kept = own if sum(len(name) + len(held or b"") for name, held in own) <= CUT_HEADERS else []
        cut = ("dl_cut", str(len(value)).encode())
        return DeadLetter(letter.topic, letter.key, value[:CUT_VALUE], [*kept, *ours, cut])
    if value or own:
        return DeadLetter(letter.topic, (letter.key or b"")[:255], b"", ours)
    return None
