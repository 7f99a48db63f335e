"""What doctor says of breach notices: business hours that cannot be counted, second roads that lead nowhere."""

from types import SimpleNamespace
from typing import cast

import pytest

from notifier.breaches.reader import AccountHours
from notifier.operations.breach_checks import hours_finding, missing_roads
from notifier.policy.breaches import BreachPolicy
from notifier.settings import SecondRoadSettings, Settings, SmtpSettings
from supportops.vendors.zendesk import Zendesk
from supportops.vendors.zendesk.schedules import Schedule

OFFICE = Schedule(
    id="5", name="Office", time_zone="Berlin", intervals=({"start_time": 540, "end_time": 600},)
)


@pytest.mark.parametrize(
    ("schedules", "wanted", "verdict", "words"),
    [
        ([OFFICE], None, "ok", "1 intervals a week"),
        ([OFFICE], "Office", "ok", "1 intervals a week"),
        ([OFFICE], "Night", "failed", "no schedule 'Night', only: ['Office']"),
        ([], None, "warning", "counted by the calendar"),
    ],
)
async def test_business_hours(
    schedules: list[Schedule], wanted: str | None, verdict: str, words: str
) -> None:
    async def listed() -> list[Schedule]:
        return schedules

    async def hours(schedule: Schedule) -> object:
        return SimpleNamespace(intervals=schedule.minutes, holidays=())

    zendesk = SimpleNamespace(schedules=SimpleNamespace(all=listed, hours=hours))
    found = await hours_finding(AccountHours(cast(Zendesk, zendesk), wanted))
    assert found.verdict == verdict
    assert words in found.detail


def test_second_roads_that_the_environment_does_not_know_are_named() -> None:
    roads = [{"by": "webhook"}, {"by": "email", "to": ["a@b.example"]}, {"by": "assignee"}]
    rule = {"name": "a", "channel": "C1", "title": "T", "second_roads": roads}
    wanted = BreachPolicy.model_validate({"rules": [rule]})
    bare = SimpleNamespace(second_road=SecondRoadSettings(), smtp=SmtpSettings())
    words = [finding.detail for finding in missing_roads(cast(Settings, bare), wanted)]
    assert ["NOTIFIER_WEBHOOK_URL" in words[0], "SMTP_HOST" in words[1]] == [True, True]
    webhook = {"webhook_url": "https://x.example", "webhook_secret": "s" * 20}
    known = SimpleNamespace(
        second_road=SecondRoadSettings.model_validate(webhook),
        smtp=SmtpSettings.model_validate({"host": "mail", "sender": "a@b.example"}),
    )
    assert list(missing_roads(cast(Settings, known), wanted)) == []
