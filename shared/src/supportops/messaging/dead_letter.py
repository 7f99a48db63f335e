"""Records that no retry will help: kept with reason and origin, byte for byte, so that replay is exact."""

from dataclasses import dataclass

from supportops.contracts import dead_letter_topic
from supportops.messaging.ports import Record


@dataclass(frozen=True)
class DeadLetter:
    """The record to publish in a group's dead-letter topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


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
    headers = [*record.headers, *((name, value.encode(errors="replace")) for name, value in origin.items())]
    return DeadLetter(dead_letter_topic(group).name, record.key, record.value, headers)
