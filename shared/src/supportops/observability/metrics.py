"""Metrics: one table of names with their meaning, and a recorder on a registry that is handed in.

`docs/metrics.md` is generated from the table: `python -m supportops.observability.metrics > docs/metrics.md`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import Any, Protocol

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
        self._families: dict[MetricName, Counter | Gauge | Histogram] = {}
        # By kind, name and labels: the library looks at the names of labels anew, under a lock, whenever it is asked.
        self._series: dict[tuple[object, ...], Any] = {}

    def count(self, name: MetricName, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._of(Counter, name, labels).inc(amount)

    def gauge(self, name: MetricName, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._of(Gauge, name, labels).set(value)

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        self._of(Histogram, name, labels).observe(value)

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

    def _of[S: (Counter, Gauge, Histogram)](
        self, kind: type[S], name: MetricName, labels: dict[str, str]
    ) -> S:
        key = (kind, name, *labels.items())
        series: S | None = self._series.get(key)
        if series is None:
            series = self._series[key] = self._find(kind, name, labels)
        return series

    def _find[S: (Counter, Gauge, Histogram)](
        self, kind: type[S], name: MetricName, labels: dict[str, str]
    ) -> S:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = _create(name, METRICS[name], self.registry)
        if not isinstance(family, kind):
            raise TypeError(f"{name} is not a {kind.__name__.lower()}")
        return family.labels(**labels) if labels else family


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
