"""Quiet hours: when a requester is not to be disturbed, by their own clock on the wall. Pure."""

import csv
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from pydantic import Field

from supportops.config import quiet_hours
from supportops.config.quiet_hours import ZoneName, zone_named


class QuietHours(quiet_hours.QuietHours):
    """From `starts` to `ends` nobody is asked; over midnight where `ends` is the earlier one."""

    time_zone: ZoneName = Field("UTC", description="For requesters whose own time zone is not known.")


def zone_of(iana: str | None, rails: str | None, fallback: str) -> ZoneInfo:
    """A person's time zone: Zendesk's `iana_time_zone`, else its `time_zone` (a name of Rails), else `fallback`."""
    named = (iana, _names_of_rails().get(rails or ""), rails, fallback)
    found = (zone_named(name) for name in named if name)
    return next((zone for zone in found if zone is not None), ZoneInfo("UTC"))


@cache
def _names_of_rails() -> dict[str, str]:
    """Zendesk shows time zones by the names of Ruby on Rails, such as "Eastern Time (US & Canada)"."""
    text = files("csat.policy").joinpath("time_zones.csv").read_text(encoding="utf-8")
    return dict(csv.reader(text.splitlines()))
