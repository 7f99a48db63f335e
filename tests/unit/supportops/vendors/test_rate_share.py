"""This process's share of a vendor's calls."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from supportops.clock import ManualClock
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Metrics
from supportops.vendors.rate_limit import RateLimiter


def _share(per_minute: float, patience: timedelta, metrics: Metrics | None = None) -> RateLimiter:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    return RateLimiter("zendesk", per_minute, clock=clock, metrics=metrics or Metrics(), patience=patience)


async def test_a_burst_passes_at_once_and_the_rest_is_sent_away_with_a_time() -> None:
    share = _share(60, timedelta(milliseconds=20))
    outcomes = await asyncio.gather(*(share.acquire() for _ in range(15)), return_exceptions=True)
    sent_away = [outcome for outcome in outcomes if isinstance(outcome, DestinationPaused)]
    assert len(sent_away) == 5
    assert sent_away[0].after == timedelta(milliseconds=20)


async def test_who_is_patient_waits_for_a_turn() -> None:
    metrics = Metrics()
    share = _share(6000, timedelta(seconds=5), metrics)
    await asyncio.gather(*(share.acquire() for _ in range(1020)))
    assert metrics.value("vendor_wait_seconds", vendor="zendesk") == 1020


async def test_a_share_below_one_call_still_lets_one_pass() -> None:
    share = _share(0.5, timedelta(milliseconds=10))
    await share.acquire()
    with pytest.raises(DestinationPaused, match="our share of the calls is used up"):
        await share.acquire()
