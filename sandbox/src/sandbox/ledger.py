"""What happened to the outside world, append only: the side that tests compare with what should be."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock, iso_nanos


@dataclass(frozen=True, slots=True)
class Entry:
    """One outside effect. `facts` names what identifies it (ticket, key, channel, record …)."""

    seq: int
    at: str
    kind: str
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"seq": self.seq, "at": self.at, "kind": self.kind, **self.facts}


class Ledger:
    """Entries in the order of their happening; sequence numbers go on after a reset."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []
        self._seq = 0

    def add(self, kind: str, **facts: Any) -> Entry:
        self._seq += 1
        entry = Entry(self._seq, iso_nanos(self._clock.now_ns()), kind, facts)
        self._entries.append(entry)
        return entry

    def find(self, kind: str = "", *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Entries whose kind is `kind` or begins with `kind.`, later than sequence number `after`."""
        found = [e for e in self._entries if e.seq > after and _of_kind(e.kind, kind)]
        return found if limit is None else found[:limit]

    def counts(self) -> dict[str, int]:
        return dict(Counter(entry.kind for entry in self._entries))

    @property
    def last_seq(self) -> int:
        return self._seq

    def clear(self) -> None:
        self._entries.clear()


def _of_kind(kind: str, wanted: str) -> bool:
    return not wanted or kind == wanted or kind.startswith(wanted.rstrip(".") + ".")
