"""Metrics: the table, the Literal, the page and the recorder say the same."""

from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

import pytest

from supportops.observability.metric_names import METRICS, MetricName
from supportops.observability.metrics import Metrics, as_markdown
from tests.support.for_each import for_each

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"


def test_every_name_has_its_row_and_every_row_its_name() -> None:
    assert set(METRICS) == set(get_args(MetricName.__value__))


def test_the_page_is_generated_from_the_table() -> None:
    assert PAGE.read_text() == as_markdown(), (
        "run: python -m supportops.observability.metrics > docs/metrics.md"
    )


@for_each("name", METRICS)
def test_every_metric_can_be_recorded_and_read(name: MetricName) -> None:
    metrics, spec = Metrics(), METRICS[name]
    labels = dict.fromkeys(spec.labels, "x")
    recorders: dict[str, Callable[..., None]] = {
        "counter": metrics.count,
        "gauge": metrics.gauge,
        "histogram": metrics.observe,
    }
    record = recorders[spec.kind]
    assert metrics.value(name, **labels) == 0
    record(name, 1, **labels)
    assert metrics.value(name, **labels) == 1
    assert f"supportops_{name}".encode() in metrics.exposition()


def test_a_wrong_label_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics().count("dead_letters", grupp="csat")


def test_a_wrong_kind_is_a_mistake_of_ours() -> None:
    metrics = Metrics()
    with pytest.raises(TypeError, match="not a counter"):
        metrics.count("ready", probe="x")
    with pytest.raises(TypeError, match="not a gauge"):
        metrics.gauge("messages_posted", 1, outcome="posted")
    with pytest.raises(TypeError, match="not a histogram"):
        metrics.observe("messages_posted", 1, outcome="posted")


def test_an_unknown_name_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        Metrics().count(cast(MetricName, "mesages_posted"))


def test_two_recorders_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.count("messages_posted", outcome="posted")
    assert other.value("messages_posted", outcome="posted") == 0


def test_seconds_of_a_block_are_observed_also_when_it_fails() -> None:
    metrics = Metrics()
    with pytest.raises(RuntimeError), metrics.timed("consumer_batch_seconds", group="csat"):
        raise RuntimeError
    assert metrics.value("consumer_batch_seconds", group="csat") == 1
