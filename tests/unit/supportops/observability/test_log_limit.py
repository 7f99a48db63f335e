"""Warnings that anybody can cause: few lines, and none forgotten."""

from structlog.testing import CapturingLogger

from supportops.observability.log_limit import EVERY, LimitedWarnings


def test_one_line_a_cause_and_how_many_there_were() -> None:
    moment = 0.0
    log = CapturingLogger()
    warnings = LimitedWarnings(log, lambda: moment)
    for _ in range(5):
        warnings.warning("door.refused", "slow", client="1")
    warnings.warning("door.refused", "crowded", client="2")
    assert [call.kwargs for call in log.calls] == [
        {"cause": "slow", "times": 1, "client": "1"},
        {"cause": "crowded", "times": 1, "client": "2"},
    ]
    moment = EVERY
    warnings.warning("door.refused", "slow", client="3")
    assert log.calls[-1].kwargs == {"cause": "slow", "times": 5, "client": "3"}
    warnings.warning("door.refused", "slow", client="4")
    assert len(log.calls) == 3
