"""A production installation takes nothing published, weak or pretended; one for trying out takes nothing real."""

import secrets

import pytest

from supportops.config import DatabaseSettings, InstallationSettings, SettingsError, describe
from supportops.config.secret_rules import ZENDESK_TEST_SECRET
from tests.support.env_example import SERVICES, settings_of


def strong(service: str) -> dict[str, str]:
    """A real installation of one service."""
    zendesk = {
        "ZENDESK_BASE_URL": "https://acme.zendesk.com",
        "ZENDESK_CLIENT_ID": "supportops",
        "ZENDESK_CLIENT_SECRET": secrets.token_hex(32),
    }
    own = {
        "ingest": {"INGEST_ACCOUNT_ID": "1", "INGEST_WEBHOOK_SECRETS": secrets.token_hex(22)},
        "csat": zendesk
        | {
            "CSAT_BASE_URL": "https://survey.example.com",
            "CSAT_LINK_KEYS": f"{secrets.token_hex(16)},{secrets.token_hex(16)}",
            "CSAT_API_TOKEN": secrets.token_hex(16),
        },
        "sfdc_sync": zendesk
        | {
            "SALESFORCE_LOGIN_URL": "https://acme.my.salesforce.com",
            "SALESFORCE_CLIENT_ID": "3MVG9",
            "SALESFORCE_CLIENT_SECRET": secrets.token_hex(32),
        },
        "notifier": zendesk | {"SLACK_TOKEN": f"xoxb-{secrets.token_urlsafe(24)}"},
    }
    common = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "DATABASE_URL": f"postgresql://{service}:{secrets.token_hex(16)}@db/{service}",
    }
    return common | own[service]


def problems(monkeypatch: pytest.MonkeyPatch, service: str, environment: dict[str, str]) -> list[str]:
    """What the service's settings say about an environment."""
    for variable in describe(settings_of(service)):
        monkeypatch.delenv(variable.name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        settings_of(service).load()
    except SettingsError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("service", SERVICES)
def test_a_real_installation_starts(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    assert problems(monkeypatch, service, strong(service)) == []


WEAK = {
    "one letter": (
        "ingest",
        {"INGEST_WEBHOOK_SECRETS": "x"},
        "INGEST_WEBHOOK_SECRETS: must have at least 16",
    ),
    "the second of a list": (
        "ingest",
        {"INGEST_WEBHOOK_SECRETS": f"{secrets.token_hex(22)},{ZENDESK_TEST_SECRET}"},
        "INGEST_WEBHOOK_SECRETS: is published",
    ),
    "the stand-ins' link key": (
        "csat",
        {"CSAT_LINK_KEYS": "sandbox-link-key-1234"},
        "CSAT_LINK_KEYS: is published",
    ),
    "the stand-ins' client": (
        "csat",
        {"ZENDESK_CLIENT_SECRET": "sandbox-zendesk-client-secret"},
        "ZENDESK_CLIENT_SECRET: is published",
    ),
    "the stand-ins' bot": ("notifier", {"SLACK_TOKEN": "xoxb-sandbox"}, "SLACK_TOKEN: is published"),
    "the stand-ins' app": (
        "sfdc_sync",
        {"SALESFORCE_CLIENT_SECRET": "sandbox-secret"},
        "SALESFORCE_CLIENT_SECRET: is published",
    ),
    "the database's": (
        "csat",
        {"DATABASE_URL": "postgresql://csat:sandbox@db/csat"},
        "DATABASE_URL (its password): is published",
    ),
    "a stand-in of Zendesk": (
        "csat",
        {"ZENDESK_BASE_URL": "http://sandbox:9400/zendesk"},
        "ZENDESK_BASE_URL: is the address of a stand-in",
    ),
    "a stand-in of Slack": (
        "notifier",
        {"SLACK_BASE_URL": "http://127.0.0.1:9400/slack/api"},
        "SLACK_BASE_URL: is the address of a stand-in",
    ),
    "a stand-in of Salesforce": (
        "sfdc_sync",
        {"SALESFORCE_LOGIN_URL": "", "SALESFORCE_SANDBOX_URL": "http://sandbox:9400/salesforce"},
        "SALESFORCE_SANDBOX_URL: is the address of a stand-in",
    ),
    "a stand-in of GitLab": (
        "csat",
        {"GITLAB_BASE_URL": "http://sandbox:9400/gitlab", "GITLAB_TOKEN": secrets.token_hex(16)},
        "GITLAB_BASE_URL: is the address of a stand-in",
    ),
}


@pytest.mark.parametrize(("service", "change", "words"), WEAK.values(), ids=WEAK)
def test_production_refuses_it_by_name_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, service: str, change: dict[str, str], words: str
) -> None:
    (said,) = problems(monkeypatch, service, strong(service) | change)
    assert said.startswith(words)
    assert "openssl rand" in said or "SUPPORTOPS_MODE=test" in said
    assert not any(value and len(value) > 3 and value in said for value in change.values())


def test_one_value_for_everything_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = secrets.token_hex(16)
    same = {"CSAT_LINK_KEYS": one, "CSAT_API_TOKEN": one, "ZENDESK_CLIENT_SECRET": one}
    same["DATABASE_URL"] = f"postgresql://csat:{one}@db/csat"
    (said,) = problems(monkeypatch, "csat", strong("csat") | same)
    assert all(name in said for name in same)
    assert one not in said


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    change = {"CSAT_LINK_KEYS": "sandbox-link-key-1234", "ZENDESK_BASE_URL": "http://127.0.0.1:9400/zendesk"}
    assert len(problems(monkeypatch, "csat", strong("csat") | change)) == 2


@pytest.mark.parametrize("variable", ["SUPPORTOPS_MODE", "INGEST_MODE"])
def test_in_a_test_published_secrets_pass(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    change = {variable: "test", "INGEST_WEBHOOK_SECRETS": ZENDESK_TEST_SECRET}
    assert problems(monkeypatch, "ingest", strong("ingest") | change) == []


def test_a_test_refuses_real_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = {"SUPPORTOPS_MODE": "test", "ZENDESK_BASE_URL": "http://127.0.0.1:9400/zendesk"}
    (said,) = problems(monkeypatch, "notifier", strong("notifier") | mixed)
    assert said.startswith("SLACK_BASE_URL: is a real account beside the stand-ins of ZENDESK_BASE_URL")


def test_another_mode_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = problems(monkeypatch, "ingest", strong("ingest") | {"SUPPORTOPS_MODE": "staging"})
    assert said.startswith("SUPPORTOPS_MODE: is none of the allowed values")


def test_the_new_name_of_the_mode_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORTOPS_MODE", "production")
    monkeypatch.setenv("INGEST_MODE", "test")
    assert InstallationSettings().mode == "production"


def test_a_database_without_a_password_has_none_to_check() -> None:
    assert list(DatabaseSettings.model_validate({"url": "sqlite:///x.db"}).credentials()) == []
