"""The rules about breaches: which tickets each shipped one concerns, and what the file refuses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from notifier.policy.breach_settings import HoursOverride
from notifier.policy.breaches import BreachPolicy, BreachRule, TicketFacts
from notifier.policy.notifier import NotifierPolicy
from supportops.config.rules_file import load
from tests.support.for_each import for_each

SHIPPED = load(Path("config/supportops.yaml"), "notifier", NotifierPolicy).breaches
SM, COM = "Self-Managed", "GitLab.com"
TAG = "slah-2hr-breach-notification"


def first(tags: set[str], form: str = SM, status: str = "open") -> str | None:
    facts = TicketFacts(status, frozenset(tags), form, "high")
    return next((rule.title for rule in SHIPPED.rules if rule.objection(facts) is None), None)


@for_each(
    "tags, form, status, expected",
    [
        ({"premium"}, SM, "open", "[SLAH] under 2hrs until breach (Premium/Ultimate)"),
        (
            {"ultimate", TAG},
            SM,
            "new",
            "[SLAH] under 2hrs until breach (Premium/Ultimate)",
        ),  # the tag decides nothing
        ({"starter"}, SM, "open", "[SLAH] under 2hrs until breach (Starter)"),
        ({"basic"}, "", "hold", "[SLAH] under 2hrs until breach (Basic)"),
        ({"gold"}, COM, "open", "Gold/Silver Ticket Notice"),
        ({"silver"}, "GitLab.com (SAAS) Account Related Form", "open", "Gold/Silver Ticket Notice"),
        ({"bronze"}, COM, "open", "Bronze Ticket Notice"),
        ({"gold"}, SM, "open", None),
        ({"premium"}, COM, "open", None),
        ({"premium"}, "License Renewals and Upgrades", "open", None),
        ({"premium"}, "Accounts Receivable / Refunds", "open", None),
        ({"premium"}, "Security Issue", "open", None),
        ({"premium"}, SM, "pending", None),
        ({"premium"}, SM, "solved", None),
        ({"free"}, SM, "open", None),
    ],
)
def test_the_five_shipped_rules_are_the_handbooks(
    tags: set[str], form: str, status: str, expected: str | None
) -> None:
    assert first(tags, form, status) == expected


def test_the_shipped_rules_have_their_colours_steps_and_tag() -> None:
    assert [(rule.colour, rule.channel) for rule in SHIPPED.rules] == [
        *[("#78A300", "breach-self-managed")] * 3,
        *[("#FAB617", "breach-gitlab-com")] * 2,
    ]
    assert {rule.tag for rule in SHIPPED.rules} == {TAG}
    assert {step.name for rule in SHIPPED.rules for step in rule.steps} == {"2h"}


def test_what_is_not_known_is_no_objection() -> None:
    unknown = TicketFacts(None, None, None, None)
    assert SHIPPED.rules[0].objection(unknown) is None
    high = BreachRule.model_validate(GOOD | {"priorities": ["high", "urgent"]})
    assert high.objection(unknown) is None
    assert high.objection(TicketFacts(None, None, None, "low")) == "its priority is low"
    assert high.objection(TicketFacts(None, None, None, "")) == "its priority is not set"


GOOD: dict[str, Any] = {"name": "a", "channel": "C1", "title": "T"}


@for_each(
    "values, words",
    [
        ({"steps": []}, "one at least"),
        ({"steps": ["2h", "120m"]}, "each once"),
        ({"steps": ["soon"]}, "must be a time before the breach"),
        ({"steps": [7200]}, "must be a time before the breach"),
        ({"steps": ["every 10s"]}, "a minute or more"),
        ({"steps": ["0s"]}, "a second or more"),
        ({"steps": ["every 1h", "every 2h"]}, "once"),
        ({"metrics": ["First Reply"]}, "is no word of Zendesk's"),
        ({"not_statuses": ["On hold"]}, "is no word of Zendesk's"),
        ({"priorities": ["Urgent!"]}, "is no word of Zendesk's"),
        ({"tag": "Two Words"}, "pattern"),
        ({"mention": ["everyone"]}, "pattern"),
        ({"second_roads": [{"by": "channel"}]}, "channel: with"),
        ({"second_roads": [{"by": "email"}]}, "to: with"),
        ({"second_roads": [{"by": "email", "to": ["a@b.example\r\nBcc: x@y.example"]}]}, "pattern"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BreachRule.model_validate(GOOD | values)


@for_each(
    "values, words",
    [
        ({"rules": [GOOD, GOOD]}, "twice here: a"),
        ({"acknowledge": {"lasts": "5m", "remind_before": "5m"}}, "less than"),
        ({"schedule": {"time_zone": "Moon", "week": {"monday": ["09:00-17:00"]}}}, "must be a time zone"),
        (
            {"schedule": {"time_zone": "UTC", "week": {"monday": ["17:00-09:00"]}}},
            "over midnight: 22:00-24:00",
        ),
        ({"summary": {"channel": "C1", "at": "25:00"}}, "time of day"),
        ({"summary": {"channel": "C1", "time_zone": "Moon"}}, "must be a time zone"),
    ],
)
def test_mistakes_of_the_section_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BreachPolicy.model_validate(values)


def test_hours_of_ones_own_are_counted() -> None:
    week = {"monday": ["09:00-12:00", "13:00-24:00"]}
    own = HoursOverride.model_validate({"time_zone": "UTC", "week": week, "holidays": ["2026-12-07"]})
    monday = datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert own.hours().after(monday, timedelta(hours=2)) == datetime(2026, 11, 30, 14, tzinfo=UTC)
    assert (
        own.hours().between(datetime(2026, 12, 7, tzinfo=UTC), datetime(2026, 12, 8, tzinfo=UTC))
        == timedelta()
    )
