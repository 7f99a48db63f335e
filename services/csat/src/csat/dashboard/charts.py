"""The geometry of our few charts: from figures to numbers that a template writes into SVG. Pure.

Shares are from 0 to 1, places in units of the picture. A template, not this module, writes text: it escapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from csat.kpi.measures import Figure

STEPS = (1, 2, 5, 10, 20, 25, 50)
MOST_TICKS = 5
MOST_LABELS = 5


@dataclass(frozen=True)
class Box:
    """The picture's size, and the part of it inside the axes."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float


TREND = Box(width=360, height=190, left=44, top=10, right=346, bottom=164)
BAR = Box(width=300, height=26, left=2, top=6, right=298, bottom=20)
SMALL_BAR = Box(width=96, height=12, left=1, top=2, right=95, bottom=10)


@dataclass(frozen=True)
class Dot:
    """One period of a line: where it stands, and its place in the list of periods."""

    index: int
    x: float
    y: float
    high_y: float
    low_y: float


@dataclass(frozen=True)
class Tick:
    """A line across, or a mark below: where, and what it says (an index of a period, or whole percents)."""

    at: float
    value: int


@dataclass(frozen=True)
class Trend:
    """A line with its band, in pieces where periods without data lie between."""

    box: Box
    dots: tuple[Dot, ...]
    lines: tuple[str, ...]
    bands: tuple[str, ...]
    across: tuple[Tick, ...]
    below: tuple[Tick, ...]
    target_y: float | None


@dataclass(frozen=True)
class Bar:
    """A share on a line from 0 to 1, with its interval and its target."""

    box: Box
    value_x: float | None
    low_x: float
    high_x: float
    target_x: float | None


def bar(figure: Figure, box: Box = BAR) -> Bar:
    """One figure between 0 and 100 %."""
    value_x = None if figure.value is None else _across(figure.value, box)
    target_x = None if figure.target is None else _across(figure.target, box)
    return Bar(box, value_x, _across(figure.low, box), _across(figure.high, box), target_x)


def trend(figures: Sequence[Figure], target: float | None, box: Box = TREND) -> Trend:
    """One figure for each period, oldest first; a period without data leaves a gap."""
    low, high = axis([figure for figure in figures if figure.n], target)
    places = _Places(box, low, high, len(figures))
    dots = [
        Dot(
            index,
            places.x(index),
            places.y(figure.value),
            places.y(figure.high),
            places.y(figure.low),
        )
        for index, figure in enumerate(figures)
        if figure.value is not None
    ]
    pieces = _pieces(dots)
    return Trend(
        box,
        tuple(dots),
        tuple(_line([(dot.x, dot.y) for dot in piece]) for piece in pieces),
        tuple(_band(piece) for piece in pieces),
        tuple(Tick(places.y(value / 100), value) for value in range(low, high + 1, _step(low, high))),
        tuple(Tick(places.x(index), index) for index in _labelled(len(figures))),
        None if target is None else places.y(target),
    )


def axis(figures: Sequence[Figure], target: float | None) -> tuple[int, int]:
    """The axis in whole percents, so that every interval and the target are on it, at even steps."""
    shares = [share for figure in figures for share in (figure.low, figure.high)]
    if not shares:
        return 0, 100
    if target is not None:
        shares.append(target)
    lowest, highest = floor(min(shares) * 100), ceil(max(shares) * 100)
    step = _step(lowest, highest)
    low, high = lowest // step * step, min(100, -(-highest // step) * step)
    if high - low < step:
        low, high = (low - step, high) if high == 100 else (low, low + step)
    return low, high


class _Places:
    """Turns periods and shares into places."""

    def __init__(self, box: Box, low: int, high: int, count: int) -> None:
        self._box, self._low, self._high, self._count = box, low / 100, high / 100, count

    def x(self, index: int) -> float:
        if self._count == 1:
            return _round((self._box.left + self._box.right) / 2)
        width = self._box.right - self._box.left
        return _round(self._box.left + width * index / (self._count - 1))

    def y(self, share: float) -> float:
        height = self._box.bottom - self._box.top
        return _round(self._box.bottom - height * (share - self._low) / (self._high - self._low))


def _step(lowest: int, highest: int) -> int:
    """The smallest even step with few enough lines, from the step below `lowest` to the one above `highest`."""
    for step in STEPS:
        if -(-highest // step) - lowest // step < MOST_TICKS:
            return step
    return STEPS[-1]


def _labelled(count: int) -> list[int]:
    """Which of the periods are named below the axis: evenly, the first among them."""
    every = max(1, ceil(count / MOST_LABELS))
    return list(range(0, count, every))


def _pieces(dots: Sequence[Dot]) -> list[list[Dot]]:
    """Dots of neighbouring periods together."""
    pieces: list[list[Dot]] = []
    for dot in dots:
        if pieces and pieces[-1][-1].index == dot.index - 1:
            pieces[-1].append(dot)
        else:
            pieces.append([dot])
    return pieces


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in places)


def _band(piece: Sequence[Dot]) -> str:
    """Along the upper ends and back along the lower ones; of a single period it is an upright line."""
    upper = [(dot.x, dot.high_y) for dot in piece]
    lower = [(dot.x, dot.low_y) for dot in reversed(piece)]
    return f"{_line([*upper, *lower])} Z"


def _across(share: float, box: Box) -> float:
    return _round(box.left + (box.right - box.left) * share)


def _round(place: float) -> float:
    return round(place, 1)
