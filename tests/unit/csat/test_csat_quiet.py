"""Quiet hours: over midnight, over changes of the clocks, in everybody's own time zone."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from csat.policy.quiet_hours import QuietHours, zone_of
from supportops.config.quiet_hours import quiet_until
from tests.support.for_each import for_each

NIGHT = QuietHours.model_validate({"starts": "22:00", "ends": "08:00"})
NOON = QuietHours.model_validate({"starts": "12:00", "ends": "13:30"})
SMALL_HOURS = QuietHours.model_validate({"starts": "01:00", "ends": "02:30"})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@for_each(
    "hours, zone, moment, until",
    [
        (NIGHT, "UTC", "2026-03-01T21:59:59", None),
        (NIGHT, "UTC", "2026-03-01T22:00:00", "2026-03-02T08:00:00"),
        (NIGHT, "UTC", "2026-03-02T00:30:00", "2026-03-02T08:00:00"),
        (NIGHT, "UTC", "2026-03-02T07:59:59.999", "2026-03-02T08:00:00"),
        (NIGHT, "UTC", "2026-03-02T08:00:00", None),
        (NIGHT, "Asia/Kolkata", "2026-03-01T16:30:00", "2026-03-02T02:30:00"),
        (NIGHT, "America/New_York", "2026-03-01T12:59:00", "2026-03-01T13:00:00"),
        (NIGHT, "Pacific/Apia", "2026-03-01T09:00:00", "2026-03-01T19:00:00"),
        (NOON, "Europe/Berlin", "2026-07-01T10:00:00", "2026-07-01T11:30:00"),
        (NOON, "Europe/Berlin", "2026-07-01T11:30:00", None),
        # Clocks go forward on 2026-03-29 and back on 2026-10-25 in Berlin: one night is an hour shorter, one longer.
        (NIGHT, "Europe/Berlin", "2026-03-28T22:00:00", "2026-03-29T06:00:00"),
        (NIGHT, "Europe/Berlin", "2026-10-24T22:00:00", "2026-10-25T07:00:00"),
        # 02:30 does not exist in Berlin that night: at 01:00 UTC the wall shows 03:00.
        (SMALL_HOURS, "Europe/Berlin", "2026-03-29T00:10:00", "2026-03-29T01:30:00"),
        (SMALL_HOURS, "Europe/Berlin", "2026-03-29T01:00:00", None),
        # 02:30 comes twice: quiet till the first, awake, and quiet again from the second 02:00 on.
        (SMALL_HOURS, "Europe/Berlin", "2026-10-25T00:00:00", "2026-10-25T00:30:00"),
        (SMALL_HOURS, "Europe/Berlin", "2026-10-25T00:45:00", None),
        (SMALL_HOURS, "Europe/Berlin", "2026-10-25T01:10:00", "2026-10-25T01:30:00"),
    ],
)
def test_quiet_hours(hours: QuietHours, zone: str, moment: str, until: str | None) -> None:
    found = quiet_until(utc(moment), hours, ZoneInfo(zone))
    assert found == (utc(until) if until else None)


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
)
WALL = st.times().map(lambda time: f"{time:%H:%M}")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
    WALL,
    WALL,
)
def test_quiet_always_ends_within_a_day_or_so(moment: datetime, zone: str, starts: str, ends: str) -> None:
    if starts == ends:
        return
    hours = QuietHours.model_validate({"starts": starts, "ends": ends})
    until = quiet_until(moment, hours, ZoneInfo(zone))
    if until is not None:
        assert moment < until <= moment + timedelta(hours=25)


@for_each(
    "iana, rails, found",
    [
        ("Asia/Tokyo", "Berlin", "Asia/Tokyo"),
        (None, "Eastern Time (US & Canada)", "America/New_York"),
        (None, "Mumbai", "Asia/Kolkata"),
        ("No/Where", "Berlin", "Europe/Berlin"),
        (None, "Europe/Paris", "Europe/Paris"),
        (None, "../../etc/passwd", "Europe/Vienna"),
        ("/etc/passwd", "", "Europe/Vienna"),
        ("", "Atlantis", "Europe/Vienna"),
        ("x" * 5000, "\0", "Europe/Vienna"),
        (None, None, "Europe/Vienna"),
    ],
)
def test_the_time_zone_of_a_person(iana: str | None, rails: str | None, found: str) -> None:
    assert zone_of(iana, rails, "Europe/Vienna").key == found


def test_every_name_of_rails_leads_to_a_zone() -> None:
    table = files("csat.policy").joinpath("time_zones.csv").read_text(encoding="utf-8")
    names = [line.rpartition(",")[0] for line in table.splitlines()]
    assert len(names) > 140
    assert [name for name in names if zone_of(None, name, "Antarctica/Troll").key == "Antarctica/Troll"] == []


@for_each(
    "values, words",
    [
        ({"starts": 1320, "ends": "08:00"}, 'in quotes, such as "22:00"'),
        ({"starts": "25:00", "ends": "08:00"}, 'in quotes, such as "22:00"'),
        ({"starts": "22:00", "ends": "22:00"}, "must differ"),
        ({"starts": "22:00", "ends": "08:00", "time_zone": "Berlin"}, "name of a time zone"),
        ({"starts": "22:00"}, "ends"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        QuietHours.model_validate(values)
