"""How calls to other people's servers are counted: every client in the same words."""

import pytest

from supportops.errors import Conflict, DestinationPaused, NotFound, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Metrics
from supportops.vendors.call_metrics import counted_call
from tests.support.for_each import for_each


@for_each(
    "error, outcome",
    [
        (NotFound("404"), "not_found"),
        (Permanent("400"), "permanent"),
        (UnknownOutcome("hung"), "unknown"),
        (DestinationPaused("quota"), "paused"),
        (Conflict("409"), "retryable"),
        (Retryable("503"), "retryable"),
        (KeyError("a bug of ours"), "failed"),
    ],
)
def test_a_call_that_fails_is_counted_by_what_follows_from_it(error: Exception, outcome: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), counted_call(metrics, "slack", "chat.update"):
        raise error
    assert metrics.value("vendor_calls", vendor="slack", call="chat.update", outcome=outcome) == 1
    assert metrics.value("vendor_call_seconds", vendor="slack", call="chat.update") == 1


def test_a_call_that_answers_is_counted_as_ok() -> None:
    metrics = Metrics()
    with counted_call(metrics, "gitlab", "user"):
        pass
    assert metrics.value("vendor_calls", vendor="gitlab", call="user", outcome="ok") == 1
