"""Warnings that anybody can cause: few lines, and none forgotten."""

import logging

import pytest
from structlog.testing import CapturingLogger

from supportops.observability.log_limit import EVERY, ONCE, LimitedLibrary, LimitedWarnings


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
    warnings.error("roof.leaks", "slow")  # another event, whatever its cause is called
    warnings.error("roof.leaks", "slow")
    assert [call.method_name for call in log.calls] == ["warning"] * 3 + ["error"]


@pytest.mark.parametrize(
    ("text", "shown_at"), [("no broker at %s", [0.0, EVERY, 3 * EVERY]), *((text, [0.0]) for text in ONCE)]
)
def test_a_librarys_line_comes_once_in_a_while_and_one_about_a_setting_once(
    text: str, shown_at: list[float]
) -> None:
    moment = 0.0
    limited = LimitedLibrary("aiokafka", lambda: moment)
    shown = []
    for moment in (0.0, EVERY / 2, EVERY, 1.5 * EVERY, 3 * EVERY):  # read by the filter
        line = logging.LogRecord("aiokafka.conn", logging.WARNING, "conn.py", 1, text, ("x",), None)
        if limited.filter(line):
            shown.append(moment)
    assert shown == shown_at
