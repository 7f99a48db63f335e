"""A notice that is due waits for Zendesk as long as the rules say, and no longer."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn, cast

from notifier.breaches.reader import FreshReadings, SlaReader
from notifier.breaches.targets import Reading
from supportops.clock import ManualClock

NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)


class Silent:
    """Zendesk, which never answers."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    async def read(self, ticket_ids: Sequence[str]) -> NoReturn:
        self.asked.append(ticket_ids)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


async def test_a_zendesk_that_never_answers_costs_our_patience_once_and_the_last_reading_decides() -> None:
    zendesk, known = Silent(), Reading("7", NOW - timedelta(hours=1))
    reader = cast("SlaReader", zendesk)
    patience = timedelta(milliseconds=10)
    fresh = FreshReadings(reader, ManualClock(NOW), fresh_for=timedelta(), patience=patience)
    async with asyncio.timeout(10):
        assert await fresh.read(known, None) == (known, True)
        assert await fresh.read(known, None) == (known, True)
    assert zendesk.asked == [["7"]], "who comes next does not wait as well"
