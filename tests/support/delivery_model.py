"""What deliveries should do, in its simplest form: dictionaries in memory, no SQL, no concurrency.

Written from docs/architecture.md, not from the engine: the property test holds the engine against it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

LEASE = timedelta(seconds=15)

Kind = Literal["done", "moot", "give_up", "again", "doubt", "free"]


@dataclass
class Row:
    """One delivery. `lease` is set while a call is in flight, also when it was cancelled or re-armed meanwhile."""

    lane: str
    born: int
    due: datetime
    place: tuple[int, datetime, int]
    next_at: datetime
    state: str = "waiting"
    generation: int = 1
    attempts: int = 0
    uncertain: bool = False
    lease: datetime | None = None
    token: str | None = None

    @property
    def active(self) -> bool:
        return self.state in ("waiting", "leased")


@dataclass
class Model:
    """The deliveries of one destination."""

    schedule_length: int
    rows: dict[str, Row] = field(default_factory=dict)
    born: int = 0

    # -- intent ---------------------------------------------------------------------------------------------------

    def schedule(self, key: str, lane: str, due: datetime, priority: int) -> None:
        """Insert; a key that is there is left alone."""
        if key not in self.rows:
            self.born += 1
            place = (-priority, due, self.born)
            self.rows[key] = Row(lane, self.born, due, place, next_at=due)

    def rearm(self, key: str, lane: str, due: datetime, priority: int) -> None:
        """Insert, or give an unfinished or cancelled row its new time; a call in flight ends first."""
        row = self.rows.get(key)
        if row is None:
            self.schedule(key, lane, due, priority)
        elif row.state not in ("done", "dead"):
            row.generation += 1
            row.due, row.place, row.attempts = due, (-priority, due, row.born), 0
            row.state = "leased" if row.lease else "waiting"
            row.next_at = max(due, row.lease) if row.lease else due

    def cancel(self, key: str) -> None:
        """Do not start it any more."""
        row = self.rows.get(key)
        if row is not None and row.active:
            row.state = "cancelled"
            row.generation += 1

    # -- work -----------------------------------------------------------------------------------------------------

    def claimable(self, now: datetime) -> dict[str, Row]:
        """The head of each lane in which no call is in flight, if its time has come."""
        heads: dict[str, tuple[str, Row]] = {}
        for key, row in self.rows.items():
            if row.active and row.due <= now:
                head = heads.get(row.lane)
                if head is None or row.place < head[1].place:
                    heads[row.lane] = (key, row)
        flying = {row.lane for row in self.rows.values() if row.lease is not None and row.lease > now}
        return {k: row for lane, (k, row) in heads.items() if lane not in flying and row.next_at <= now}

    def since(self, key: str) -> datetime:
        """Since when a claimable row could be claimed: its own time, or the end of the lease that held its lane."""
        row = self.rows[key]
        leases = [
            each.lease for each in self.rows.values() if each.lane == row.lane and each.lease is not None
        ]
        return max(row.next_at, *leases) if leases else row.next_at

    def claimed(self, key: str, token: str, now: datetime) -> None:
        """A worker took it. A row whose last call never came back is in doubt."""
        row = self.rows[key]
        row.uncertain = row.uncertain or row.state == "leased"
        row.state, row.token, row.attempts = "leased", token, row.attempts + 1
        row.lease = row.next_at = now + LEASE

    def renewed(self, token: str, now: datetime) -> None:
        """A worker is alive and keeps its rows."""
        for row in self.rows.values():
            if row.token == token and row.lease is not None:
                row.lease = now + LEASE
                row.next_at = max(row.due, row.lease)

    def ended(self, key: str, flight: "Claimed", kind: Kind, after: timedelta, now: datetime) -> bool:
        """A call came back; False when it is not ours any more and nothing may be written."""
        row = self.rows[key]
        if row.token != flight.token:
            return False
        kind = "give_up" if kind in ("again", "doubt") and flight.attempts > self.schedule_length else kind
        row.token = row.lease = None
        row.uncertain = kind == "doubt" or (kind == "free" and flight.uncertain)
        if row.state == "cancelled":
            return True
        if row.generation != flight.generation:
            row.state, row.next_at, row.attempts = "waiting", row.due, 0
        elif kind in ("done", "moot", "give_up"):
            row.state = "dead" if kind == "give_up" else "done"
        else:
            row.state, row.next_at = "waiting", now + after
            row.attempts = flight.attempts - (kind == "free")
        return True


@dataclass(frozen=True)
class Claimed:
    """What a worker knows of a row it took."""

    token: str
    generation: int
    attempts: int
    uncertain: bool
