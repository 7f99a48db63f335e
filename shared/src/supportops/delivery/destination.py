"""What a destination is: somebody else's server, what it may be asked for, and what its answers mean (design §4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Table

from supportops.store.transaction import Then

SCHEDULE = (
    timedelta(seconds=1),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)


@dataclass(frozen=True)
class Rate:
    """At most `count` in `per`, evenly spaced."""

    count: int
    per: timedelta

    @property
    def interval(self) -> timedelta:
        """The time that one of them takes."""
        return self.per / self.count


@dataclass(frozen=True)
class Budget:
    """A rate that destinations and replicas share by its `name`; a row costs `cost` calls."""

    name: str
    rate: Rate
    cost: int = 1


@dataclass(frozen=True)
class DestinationSpec:
    """How a destination wants to be called.

    `batch` rows at most per call, one per lane, waiting up to `linger` for the batch to fill; `concurrency` calls at
    once per process; `timeout` per call; `schedule[n]` is the wait after failed attempt n+1, past its end the row is
    dead; `lane_pace` spaces the rows of one lane; `budget` is shared with others.
    """

    name: str
    batch: int = 1
    linger: timedelta = timedelta(0)
    concurrency: int = 8
    timeout: timedelta = timedelta(seconds=30)
    schedule: tuple[timedelta, ...] = SCHEDULE
    lane_pace: Rate | None = None
    budget: Budget | None = None


@dataclass(frozen=True)
class Delivery:
    """One row in hand. `attempts` counts this one; `uncertain`: an earlier attempt may have had its effect."""

    id: str
    destination: str
    lane: str
    key: str
    generation: int
    payload: Mapping[str, Any]
    attempts: int
    due_at: datetime
    created_at: datetime
    claimed_at: datetime
    uncertain: bool
    token: str = field(repr=False)


@dataclass(frozen=True)
class Done:
    """It happened. `result` is kept with the row; `then` collects what follows, in the row's transaction.

    `reads`: rows (table, primary key) that `then` will load. Outcomes are written many at a time, and what all of them
    read is then read at once.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    then: Then | None = None
    reads: tuple[tuple[Table, Any], ...] = ()


@dataclass(frozen=True)
class Moot:
    """It need not happen any more; the reason is kept."""

    reason: str
    then: Then | None = None


@dataclass(frozen=True)
class GiveUp:
    """It will never happen; the row is dead and shown to operators."""

    reason: str
    then: Then | None = None


@dataclass(frozen=True)
class TryAgain:
    """Not now. `after`: the other side's wish, else the schedule decides.

    `uncertain`: it may have happened, ask first. `free`: this attempt does not count (quota, login, lost race).
    """

    after: timedelta | None
    reason: str
    uncertain: bool = False
    free: bool = False


Outcome = Done | Moot | GiveUp | TryAgain


class Destination(Protocol):
    """One kind of call to one kind of server. Knows the vendor; touches our database only through outcomes."""

    @property
    def spec(self) -> DestinationSpec:
        """How it wants to be called."""
        ...

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """Make the call for `deliveries`; one outcome each, in their order.

        An error that is raised stands for all of them, one in the place of an outcome for that row alone.
        """
        ...

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """After an unknown outcome: what happened, or None when it did not and is to be sent."""
        ...
