"""The one definition of each number (docs/rules.md C2, C9): what is counted, and what is divided by what. Pure.

Every number belongs to the day of the ticket's solve, in the report's time zone, and a ticket counts once.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Self

from csat.policy.kpi import KpiPolicy

Z_95 = 1.959963984540054
"""Within so many standard deviations lie 95 % of a normal distribution."""


@dataclass(frozen=True)
class Counts:
    """Tickets. Each of these is contained in the one before it: good + bad <= asked <= decided <= solved.

    `solved`: whose solve counts. `decided`: of which it is certain whether the requester is asked; the others wait for
    their survey. `asked`: whose requester was asked by us or by Zendesk. `good`, `bad`: whose latest answer says so.
    """

    solved: int = 0
    decided: int = 0
    asked: int = 0
    good: int = 0
    bad: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.solved + other.solved,
            self.decided + other.decided,
            self.asked + other.asked,
            self.good + other.good,
            self.bad + other.bad,
        )

    @property
    def answered(self) -> int:
        """Tickets with an answer."""
        return self.good + self.bad

    @property
    def waiting(self) -> int:
        """Tickets that are not due yet."""
        return self.solved - self.decided


@dataclass(frozen=True)
class Figure:
    """A share: `value` is k / n, from 0 to 1, and None while n is 0; `low` and `high` bound it with 95 % confidence."""

    value: float | None
    k: int
    n: int
    low: float
    high: float
    target: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the share is at its target; None where there is no share or no target."""
        if self.value is None or self.target is None:
            return None
        return self.value >= self.target


@dataclass(frozen=True)
class Figures:
    """The three figures of a number of tickets, each beside its target."""

    kpi: Figure
    response_rate: Figure
    offered_rate: Figure


def figures_of(counts: Counts, policy: KpiPolicy) -> Figures:
    """All three, with the targets of the organization."""
    return Figures(
        kpi(counts, policy.target_kpi),
        response_rate(counts, policy.target_response),
        offered_rate(counts, policy.target_offered),
    )


def kpi(counts: Counts, target: float | None = None) -> Figure:
    """Good of good and bad. Surveys not offered, and offered ones without an answer, are excluded (C2)."""
    return _figure(counts.good, counts.answered, target)


def response_rate(counts: Counts, target: float | None = None) -> Figure:
    """Answered of asked (C9)."""
    return _figure(counts.answered, counts.asked, target)


def offered_rate(counts: Counts, target: float | None = None) -> Figure:
    """Asked of decided (C9): tickets that are not due yet are neither offered nor not offered."""
    return _figure(counts.asked, counts.decided, target)


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share k of n by Wilson (1927), without continuity correction; of nothing it is 0 to 1."""
    if n == 0:
        return 0.0, 1.0
    share, square = k / n, Z_95 * Z_95
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z_95 / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    low = 0.0 if k == 0 else max(0.0, middle - half)
    high = 1.0 if k == n else min(1.0, middle + half)
    return low, high


def _figure(k: int, n: int, target: float | None) -> Figure:
    return Figure(k / n if n else None, k, n, *wilson(k, n), target)
