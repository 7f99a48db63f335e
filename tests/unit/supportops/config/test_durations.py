"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportops.config.durations import format_duration, parse_duration
from tests.support.for_each import for_each

READ = {
    "24h": timedelta(hours=24),
    "90s": timedelta(seconds=90),
    "2d": timedelta(days=2),
    "500ms": timedelta(milliseconds=500),
    "1h30m": timedelta(minutes=90),
    " 15M ": timedelta(minutes=15),
    "0.5s": timedelta(milliseconds=500),
    "1w": timedelta(weeks=1),
    "0s": timedelta(),
}


@for_each("text, length", READ.items())
def test_reads(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@for_each("text", ["", "20", 20, 1.5, True, None, "h", "5 minutes", "-3s", "3s4", "1e3s", [], "٣s"])
def test_refuses_what_has_no_clear_unit(text: object) -> None:
    with pytest.raises(ValueError, match="number with a unit"):
        parse_duration(text)


def test_refuses_a_negative_length() -> None:
    with pytest.raises(ValueError, match="negative"):
        parse_duration(timedelta(seconds=-1))


@given(st.integers(min_value=0, max_value=10**11))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    length = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(length)) == length


def test_writes_the_shortest_text() -> None:
    assert format_duration(timedelta(hours=24)) == "1d"
    assert format_duration(timedelta(minutes=90)) == "1h30m"
    assert format_duration(timedelta()) == "0s"
