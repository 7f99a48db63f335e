"""The moments that operators name."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from supportops.operations.options import past_moment_of
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


@for_each(
    "since, moment",
    [
        ("2h", NOW - timedelta(hours=2)),
        ("2026-11-02T08:30", NOW - timedelta(minutes=30)),
        ("2026-11-02T09:30+01:00", NOW - timedelta(minutes=30)),
        ("2026-11-02T09:00", NOW),
    ],
)
def test_a_moment_that_has_passed(since: str, moment: datetime) -> None:
    assert past_moment_of(since, NOW) == moment


@for_each(
    "since, says",
    [
        ("2026-11-02T09:01", "has not come yet"),
        ("-2h", "neither"),
        ("", "neither"),
        ("9999999d", "longer ago"),
    ],
)
def test_nothing_is_told_of_what_has_not_come_yet(since: str, says: str) -> None:
    with pytest.raises(typer.BadParameter, match=says):
        past_moment_of(since, NOW)
