"""What ingest refuses to start with."""

from datetime import timedelta
from pathlib import Path

import pytest

from ingest.policy import IngestPolicy
from ingest.settings import IngestSettings
from ingest.wiring import account_of
from supportops.config import rules_file
from tests.support.for_each import for_each

GOOD = {"account_id": "22129848", "webhook_secrets": "new-secret,old-secret"}


def test_the_defaults() -> None:
    settings = IngestSettings.model_validate(GOOD)
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == ["new-secret", "old-secret"]
    assert settings.freshness == timedelta(minutes=5)
    assert settings.operator_token is None


@for_each(
    "change",
    [
        {"account_id": "acme"},
        {"account_id": ""},
        {"webhook_secrets": ""},
        {"operator_token": "short"},
        {"freshness": "5"},
    ],
)
def test_mistakes(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        IngestSettings.model_validate(GOOD | change)


def test_the_shipped_rules_are_the_defaults() -> None:
    assert rules_file.load(Path("config/supportops.yaml"), "ingest", IngestPolicy) == IngestPolicy()


def test_own_trigger_names_are_added_to_the_known_ones() -> None:
    rules = IngestPolicy(triggers={"survey-answered": "rated", "solved": "updated"})
    settings = IngestSettings.model_validate(GOOD | {"integration_user_ids": "7, 8"})
    account = account_of(settings, rules)
    assert account.integration_users == {"7", "8"}
    assert account.trigger_kinds["survey-answered"] == "rated"
    assert account.trigger_kinds["solved"] == "updated"
    assert account.trigger_kinds["csat-received"] == "rated"
