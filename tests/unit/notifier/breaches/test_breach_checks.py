"""What doctor says of breach notices: business hours that cannot be counted, second roads that lead nowhere."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from notifier.breaches import reader
from notifier.breaches.context import BreachContext
from notifier.breaches.reader import AccountHours
from notifier.breaches.second_roads import Outside, SecondRoads
from notifier.operations.breach_checks import hours_finding, missing_roads
from notifier.policy.breaches import BreachPolicy
from notifier.settings import SecondRoadSettings, Settings, SmtpSettings
from notifier.slack.sender import Sender
from supportops.errors import Permanent, Retryable
from supportops.vendors.zendesk import Zendesk
from supportops.vendors.zendesk.schedules import Schedule
from tests.support.for_each import for_each

OFFICE = Schedule(
    id="5", name="Office", time_zone="Berlin", intervals=({"start_time": 540, "end_time": 600},)
)


@for_each(
    "schedules, wanted, verdict, words",
    [
        ([OFFICE], None, "ok", "1 intervals a week"),
        ([OFFICE], "Office", "ok", "1 intervals a week"),
        ([OFFICE], "Night", "failed", "no schedule 'Night', only: ['Office']"),
        ([], None, "warning", "counted by the calendar"),
        ([OFFICE.model_copy(update={"intervals": ()})], None, "warning", "no hours that can be read"),
    ],
)
async def test_business_hours(
    schedules: list[Schedule], wanted: str | None, verdict: str, words: str
) -> None:
    async def listed() -> list[Schedule]:
        return schedules

    async def hours(schedule: Schedule) -> object:
        return SimpleNamespace(intervals=schedule.minutes, holidays=(), zone=schedule.time_zone)

    zendesk = SimpleNamespace(schedules=SimpleNamespace(all=listed, hours=hours))
    found = await hours_finding(AccountHours(cast(Zendesk, zendesk), wanted))
    assert found.verdict == verdict
    assert words in found.detail


async def test_notices_do_not_wait_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "HOURS_PATIENCE", 0.1)
    monkeypatch.setattr(reader, "FIRST_PATIENCE", 60)
    asked: list[int] = []

    async def listed() -> list[Schedule]:
        asked.append(len(asked))
        if len(asked) == 2:
            await asyncio.Event().wait()  # hangs
        return [OFFICE]

    async def hours(_: Schedule) -> object:
        return f"hours {len(asked)}"

    zendesk = SimpleNamespace(schedules=SimpleNamespace(all=listed, hours=hours))
    account, began = cast(Any, AccountHours(cast(Zendesk, zendesk), None)), datetime(2026, 11, 2, tzinfo=UTC)
    first = await asyncio.gather(*(account.current(began) for _ in range(9)))
    assert (set(first), len(asked)) == ({"hours 1"}, 1)
    later = began + reader.HOURS_LIFETIME
    asking = asyncio.create_task(account.current(later))
    await asyncio.sleep(0)
    others = await asyncio.gather(*(account.current(later) for _ in range(9)))
    assert (set(others), len(asked), asking.done()) == ({"hours 1"}, 2, False)
    assert await asyncio.wait_for(asking, 5) == "hours 1"
    assert await account.current(later + reader.HOURS_AGAIN / 2) == "hours 1"
    assert await account.current(later + reader.HOURS_AGAIN) == "hours 3"


async def test_what_can_wait_waits_until_hours_are_told() -> None:
    answers: list[object] = [Retryable("away"), [OFFICE], Retryable("away again")]

    async def listed() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def hours(_: Schedule) -> object:
        return "hours"

    zendesk = SimpleNamespace(schedules=SimpleNamespace(all=listed, hours=hours))
    account, now = cast(Any, AccountHours(cast(Zendesk, zendesk), None)), datetime(2026, 11, 2, tzinfo=UTC)
    for _ in range(2):
        with pytest.raises(Retryable, match="not known yet: away"):
            await account.sure(now)
    assert await account.current(now) is None
    now += reader.HOURS_AGAIN
    assert await account.sure(now) == "hours"
    assert await account.sure(now + reader.HOURS_LIFETIME) == "hours"
    assert answers == []


async def test_an_assignee_is_found_by_the_rules_own_table_first() -> None:
    async def users(_: list[str]) -> dict[str, object]:
        return {"7": SimpleNamespace(email="Ada@support.example")}

    async def read(*_: object) -> dict[str, object]:
        raise AssertionError("Slack was asked")

    notices = SimpleNamespace(people={"ada@support.example": "U0ADA"})
    context = SimpleNamespace(
        slack=SimpleNamespace(read=read, now=lambda: datetime(2026, 11, 2, tzinfo=UTC)),
        policy=SimpleNamespace(notices=notices),
        zendesk=SimpleNamespace(users=users),
    )
    roads = SecondRoads(cast(BreachContext, context), cast(Sender, None), Outside())
    assert await roads._person("7") == "U0ADA"
    with pytest.raises(Permanent, match="no assignee"):
        await roads._person(None)


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
