"""One line per cause in ten seconds, with how many there were."""

from structlog.testing import capture_logs

from supportops.observability.log_limit import EVERY, LimitedWarnings
from supportops.observability.logging import get_logger


def test_the_first_is_told_at_once_and_the_rest_are_counted() -> None:
    moment = [100.0]
    with capture_logs() as lines:
        limited = LimitedWarnings(get_logger("test"), now=lambda: moment[0])
        for _ in range(50):
            limited.warning("consumer.waits", "database", error="away")
        limited.warning("consumer.waits", "broker", error="away")
        moment[0] += EVERY
        limited.warning("consumer.waits", "database", error="still away")
    assert [(line["cause"], line["times"], line["error"]) for line in lines] == [
        ("database", 1, "away"),
        ("broker", 1, "away"),
        ("database", 50, "still away"),
    ]
