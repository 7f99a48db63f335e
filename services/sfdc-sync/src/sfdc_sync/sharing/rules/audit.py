"""The audit log: each entry carries the hash of the one before, so that none can be changed, taken out or put in."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

BEGINNING: Final = "0" * 64
"""Stands before the first entry."""


@dataclass(frozen=True)
class Entry:
    """One thing that was done. `details`: JSON, ids and settings only; `via`: command, page, worker or import."""

    number: int
    at: datetime
    request: int
    action: str
    by: str
    via: str
    details: Mapping[str, Any]
    previous: str

    @property
    def digest(self) -> str:
        """SHA-256 over everything in the entry, in hexadecimal."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        facts = [self.number, at, self.request, self.action, self.by, self.via, self.details, self.previous]
        return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def broken_at(entries: Iterable[tuple[Entry, str]], head: tuple[int, str]) -> str | None:
    """The first thing that is wrong with a log of (entry, its stored hash), in words; None: it is whole.

    `head`: number and hash of the last entry, which is kept apart: it shows entries that were cut off.
    """
    number, previous = 0, BEGINNING
    for entry, stored in entries:
        if entry.number != number + 1:
            return f"entry {number + 1} is missing"
        if entry.previous != previous:
            return f"entry {entry.number} does not follow from the one before"
        if entry.digest != stored:
            return f"entry {entry.number} was changed"
        number, previous = entry.number, stored
    if (number, previous) != head:
        return f"the log ends at entry {number}, it should end at entry {head[0]}"
    return None
