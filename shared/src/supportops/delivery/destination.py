"""What a destination is: somebody else's server, what it may be asked for, and what its answers mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Table

from supportops.store.deliveries import CORRELATION
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
    """A rate that destinations and replicas share by its `name`; a row costs `cost` calls.

    `ahead`: how far its rows may run ahead of the pace, at most `rate.per`; None: a tenth of that. Of those that share
    a budget, who may run further ahead goes first while there is more to do than the budget allows.
    """

    name: str
    rate: Rate
    cost: int = 1
    ahead: timedelta | None = None

    def __post_init__(self) -> None:
        if self.ahead is not None and self.ahead > self.rate.per:
            raise ValueError(f"budget {self.name}: `ahead` is longer than the time of its rate")


@dataclass(frozen=True)
class DestinationSpec:
    """How a destination wants to be called.

    `batch` rows at most per call, one per lane, waiting up to `linger` for the batch to fill; `concurrency` calls at
    once per process; `timeout` per call; `schedule[n]` is the wait after failed attempt n+1, past its end the row is
    dead; `lane_pace` spaces the rows of one lane; `budget` is shared with others. `idempotent`: twice is as good as
    once, so after an unknown outcome the call is simply made again; a destination that is not is asked.
    """

    name: str
    batch: int = 1
    linger: timedelta = timedelta(0)
    concurrency: int = 8
    timeout: timedelta = timedelta(seconds=30)
    schedule: tuple[timedelta, ...] = SCHEDULE
    lane_pace: Rate | None = None
    budget: Budget | None = None
    idempotent: bool = False


@dataclass(frozen=True)
class Delivery:
    """One row in hand. `attempts` counts this one; `uncertain`: an earlier attempt may have had its effect.

    `history`: the attempts before, as the row keeps them (JSON).
    """

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
    history: str | None = field(default=None, repr=False)

    @property
    def correlation_id(self) -> str | None:
        """That of the event which led to it, from the webhook on; None for what an operator or a clock began."""
        found: str | None = self.payload.get(CORRELATION)
        return found


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
class Cancel:
    """It need not happen any more; the reason is kept."""

    reason: str
    then: Then | None = None


@dataclass(frozen=True)
class Discard:
    """It will never happen; the row is dead and shown to operators."""

    reason: str
    then: Then | None = None


@dataclass(frozen=True)
class Unknown:
    """It may have happened, and nobody can be asked: not done a second time, and listed for somebody to look at."""

    reason: str
    then: Then | None = None


@dataclass(frozen=True)
class TryAgain:
    """It went wrong; later. `after`: the other side's wish, else the schedule decides.

    `uncertain`: it may have happened, ask first.
    """

    after: timedelta | None
    reason: str
    uncertain: bool = False


@dataclass(frozen=True)
class Snooze:
    """Not now, and nobody's failure (quota, login, quiet hours, lost race): uses up no attempt of the schedule.

    `after`: how long; None: a moment. `uncertain`: it may have happened, ask first; a row in doubt stays so.
    """

    after: timedelta | None
    reason: str
    uncertain: bool = False


Outcome = Done | Cancel | Discard | Unknown | TryAgain | Snooze


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


@runtime_checkable
class AskableDestination(Destination, Protocol):
    """A destination whose calls must not be made twice: after an unknown outcome it is asked first."""

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """What happened, or None when it did not and is to be sent."""
        ...


def demand_an_answer_to_doubt(destination: Destination) -> None:
    """Raise ValueError for a destination that is neither idempotent nor askable: a lost answer would have no rule."""
    if not destination.spec.idempotent and not isinstance(destination, AskableDestination):
        raise ValueError(f"{destination.spec.name}: say `idempotent=True`, or answer `did_it_happen`")
