"""Metrics: one table of names with their meaning, and a recorder on a registry that is handed in.

`docs/metrics.md` is generated from the table: `python -m supportops.observability.metrics > docs/metrics.md`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from supportops.observability.metric_names import METRICS, MetricName, MetricSpec


class Recorder(Protocol):
    """What a part of the engine needs to report figures; labels are those of the name's row in the table."""

    def count(self, name: MetricName, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def gauge(self, name: MetricName, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        ...

    def timed(self, name: MetricName, **labels: str) -> AbstractContextManager[Callable[[], float]]:
        """Observe the seconds that a block takes, also when it raises; yields the seconds so far."""
        ...


class Metrics:
    """A `Recorder` on a Prometheus registry (a new one by default); every process makes one in its wiring.

    A wrong label or kind is a mistake of ours and raises ValueError / TypeError at once, in tests too.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._series: dict[MetricName, Counter | Gauge | Histogram] = {}

    def count(self, name: MetricName, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        series = self._get(name)
        if not isinstance(series, Counter):
            raise TypeError(f"{name} is not a counter")
        (series.labels(**labels) if labels else series).inc(amount)

    def gauge(self, name: MetricName, value: float, **labels: str) -> None:
        """Set a gauge."""
        series = self._get(name)
        if not isinstance(series, Gauge):
            raise TypeError(f"{name} is not a gauge")
        (series.labels(**labels) if labels else series).set(value)

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        series = self._get(name)
        if not isinstance(series, Histogram):
            raise TypeError(f"{name} is not a histogram")
        (series.labels(**labels) if labels else series).observe(value)

    @contextmanager
    def timed(self, name: MetricName, **labels: str) -> Iterator[Callable[[], float]]:
        """Observe the seconds that the block takes, also when it raises; yields the seconds so far."""
        begin = perf_counter()
        try:
            yield lambda: perf_counter() - begin
        finally:
            self.observe(name, perf_counter() - begin, **labels)

    def value(self, name: MetricName, **labels: str) -> float:
        """The figure of one series now (of a histogram: how many observations); 0 when never touched."""
        suffix = {"counter": "_total", "histogram": "_count", "gauge": ""}[METRICS[name].kind]
        return self.registry.get_sample_value(f"{_full(name)}{suffix}", labels) or 0.0

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _get(self, name: MetricName) -> Counter | Gauge | Histogram:
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = _create(name, METRICS[name], self.registry)
        return series


def _full(name: MetricName) -> str:
    return f"supportops_{name}"


def _create(name: MetricName, spec: MetricSpec, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if spec.kind == "counter":
        return Counter(_full(name), spec.meaning, spec.labels, registry=registry)
    if spec.kind == "gauge":
        return Gauge(_full(name), spec.meaning, spec.labels, registry=registry)
    return Histogram(_full(name), spec.meaning, spec.labels, registry=registry, buckets=spec.buckets)


def as_markdown(table: Mapping[MetricName, MetricSpec] = METRICS) -> str:
    """The page `docs/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        "Generated from `supportops.observability.metric_names`; do not edit by hand.",
        "Every process shows them at `/metrics` of its side port.",
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for name, spec in table.items():
        full = f"{_full(name)}_total" if spec.kind == "counter" else _full(name)
        labels = ", ".join(spec.labels) or "-"
        lines.append(f"| `{full}` | {spec.kind} | {labels} | {spec.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(as_markdown())
