"""When a consumer counts as standing still: records wait, and none was finished for long."""

import time
from datetime import timedelta
from typing import cast

from supportops.config import KafkaSettings
from supportops.messaging import Broker
from supportops.messaging.positions import Positions
from supportops.messaging.subscription import Fetching, Subscription

MINUTE = timedelta(minutes=1)


async def nothing(_records: object) -> None:
    """Finishes nothing."""


def subscription(progress_ago: timedelta) -> Subscription:
    """One that finished its last record a while ago."""
    broker = Broker(KafkaSettings.model_validate({"bootstrap_servers": "nowhere:1"}))
    reading = Subscription(broker, "csat", ["t"], nothing, cast(Positions, None), Fetching(10))
    reading.last_progress = time.monotonic() - progress_ago.total_seconds()
    return reading


def test_a_quiet_topic_is_no_stall() -> None:
    reading = subscription(progress_ago=60 * MINUTE)
    reading.measured({"t": 0})
    assert not reading.stalled(MINUTE)


def test_the_first_record_after_a_quiet_hour_is_no_stall() -> None:
    reading = subscription(progress_ago=60 * MINUTE)
    reading.measured({"t": 0})
    reading.measured({"t": 1})
    assert not reading.stalled(MINUTE)


def test_records_that_wait_while_none_is_finished_are_a_stall() -> None:
    reading = subscription(progress_ago=60 * MINUTE)
    reading.measured({"t": 1})
    reading.measured({"t": 2})  # they have been waiting since the first look
    assert reading.stalled(timedelta(0))


def test_progress_ends_a_stall() -> None:
    reading = subscription(progress_ago=60 * MINUTE)
    reading.measured({"t": 2})
    reading.last_progress = time.monotonic()
    assert not reading.stalled(MINUTE)


def test_a_lag_that_is_gone_ends_a_stall() -> None:
    reading = subscription(progress_ago=60 * MINUTE)
    reading.measured({"t": 2})
    reading.measured({"t": 0})
    assert not reading.stalled(timedelta(0))
