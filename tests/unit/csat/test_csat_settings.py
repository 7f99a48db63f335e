"""Settings and rules: the shipped files are the handbook's, and what is unsafe is refused by name."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.ratings.retention import own_retention
from csat.settings import SurveySettings
from csat.surveys.budgets import updates_budget
from supportops.config.rules_file import ConfigError, load
from tests.support.for_each import for_each

ROOT = Path(__file__).parents[3]
GOOD: dict[str, Any] = {
    "base_url": "https://survey.example.com/",
    "link_keys": "the-current-key-2026,the-older-key-2025",
    "api_token": "operators-only-0123456789",
}


def test_the_shipped_rules_are_the_handbooks() -> None:
    assert load(ROOT / "config/supportops.yaml", "csat", CsatPolicy) == CsatPolicy()
    assert CsatPolicy().survey_after == timedelta(hours=24)


def test_the_demo_is_a_matter_of_seconds() -> None:
    assert load(ROOT / "config/demo.yaml", "csat", CsatPolicy).survey_after < timedelta(minutes=1)


def test_survey_settings() -> None:
    settings = SurveySettings(**GOOD)
    assert settings.base_url == "https://survey.example.com"
    assert [key.get_secret_value() for key in settings.link_keys] == [
        "the-current-key-2026",
        "the-older-key-2025",
    ]


@for_each(
    "name, value",
    [
        ("base_url", "survey.example.com"),
        ("base_url", "ftp://survey.example.com"),
        ("base_url", "https://survey.example.com/?x=1"),
        ("link_keys", ""),
        ("link_keys", "short"),
        ("link_keys", "the-current-key-2026,short"),
        ("api_token", "short"),
        ("api_token", ""),
    ],
)
def test_unsafe_survey_settings_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        SurveySettings(**GOOD | {name: value})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("survey_after: 24", "csat.survey_after"),
        ("sent_tag: Survey Sent", "csat.sent_tag"),
        ("excluded_tag: [spam]", "excluded_tags"),
        ("ticket_updates_per_minute: 0", "csat.ticket_updates_per_minute"),
        ("keep_history: 7d", "csat.keep_history: must be longer"),
    ],
)
def test_mistakes_in_the_rules_are_named(tmp_path: Path, line: str, words: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"csat:\n  {line}\n")
    with pytest.raises(ConfigError, match=words):
        load(rules, "csat", CsatPolicy)


def test_the_limit_of_ticket_updates_can_be_lifted() -> None:
    budget = updates_budget(CsatPolicy())
    assert budget is not None
    assert (budget.rate.count, budget.rate.per) == (100, timedelta(minutes=1))
    assert updates_budget(CsatPolicy(ticket_updates_per_minute=None)) is None


def test_every_table_of_ours_has_a_retention() -> None:
    own = set(tables.metadata.tables.values()) - set(vars(tables.engine).values())
    assert {retention.table for retention in own_retention(CsatPolicy())} == own
