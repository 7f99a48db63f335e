"""A figure beside its floor and its target, and how a table of them is written."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table. `ratio` is figure / floor where there is a floor; `met` compares with the target."""

    name: str
    figure: float
    unit: str
    target: str
    met: bool
    floor: float | None = None
    floor_name: str = "-"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Figure over floor, both from the same run."""
        return self.figure / self.floor if self.floor else None

    def cells(self) -> list[str]:
        """The row as text."""
        floor = "-" if self.floor is None else f"{self.floor:,.1f} ({self.floor_name})"
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = "yes" if self.met else "no"
        return [self.name, f"{self.figure:,.1f} {self.unit}", floor, ratio, self.target, verdict, self.note]


HEAD = ["figure", "measured", "floor", "ratio", "target", "met", "note"]


def markdown(figures: Sequence[Figure]) -> str:
    """The table in Markdown."""
    rows = [HEAD, ["---"] * len(HEAD), *(figure.cells() for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def alternate(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure over `rounds`, taken in turns so that the machine's moods hit all alike."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for results, measure in zip(taken, measures, strict=True):
            results.append(measure())
    return [statistics.median(results) for results in taken]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def last_line(output: str) -> dict[str, float]:
    """What a measured child process printed last: one JSON object."""
    result: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return result
