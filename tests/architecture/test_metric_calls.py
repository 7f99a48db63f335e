"""Every call of a recorder names the labels of its row in the table: at run time a wrong one would break the worker."""

import ast
from collections.abc import Iterator

from supportops.observability.metric_names import METRICS, MetricName
from tests.architecture import tree

KINDS = {"count": "counter", "gauge": "gauge", "observe": "histogram", "timed": "histogram"}
THE_TABLE = "shared/src/supportops/observability/metric_names.py"


def _recorder_calls() -> Iterator[tuple[str, MetricName, ast.Call]]:
    for module in tree.sources():
        for name, call in tree.calls(module):
            first = call.args[0] if call.args else None
            if (
                name.rpartition(".")[2] in KINDS
                and isinstance(first, ast.Constant)
                and first.value in METRICS
            ):
                yield f"{module.path}:{call.lineno}", first.value, call


def _labels(call: ast.Call) -> set[str]:
    return {str(keyword.arg) for keyword in call.keywords} - {"amount", "value"}


def test_calls_name_the_labels_of_their_row() -> None:
    wrong = [
        f"{place} {name}: has {sorted(_labels(call))}, needs {sorted(METRICS[name].labels)}"
        for place, name, call in _recorder_calls()
        if _labels(call) != set(METRICS[name].labels) and "None" not in _labels(call)
    ]
    assert wrong == []


def test_calls_are_of_the_kind_of_their_row() -> None:
    wrong = [
        place
        for place, name, call in _recorder_calls()
        if KINDS[ast.unparse(call.func).rpartition(".")[2]] != METRICS[name].kind
    ]
    assert wrong == []


def test_every_metric_is_recorded_by_somebody() -> None:
    by_call = {name for _, name, _ in _recorder_calls()}
    handed_on = {
        element.value
        for module in tree.sources()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Tuple)
        for element in node.elts
        if isinstance(element, ast.Constant) and module.path != THE_TABLE
    }
    assert sorted(set(METRICS) - by_call - handed_on) == []
