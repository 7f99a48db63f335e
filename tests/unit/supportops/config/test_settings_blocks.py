"""Settings: every mistake named at once, secrets from files, nothing secret shown."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict
from sqlalchemy.engine import make_url

from supportops.config import (
    Block,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    SecretList,
    ServiceSettings,
    SettingsError,
    TextList,
    ZendeskSettings,
    describe,
)
from tests.support.for_each import for_each


class HookSettings(Block):
    """A service's own block."""

    model_config = SettingsConfigDict(env_prefix="HOOK_")

    secrets: SecretList = Field(description="Signing secrets, current first.")
    accounts: TextList = Field((), description="Accounts we take webhooks of.")


class Settings(ServiceSettings):
    """A service's settings."""

    kafka: KafkaSettings
    database: DatabaseSettings
    http: HttpSettings
    hook: HookSettings

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.http.port == self.side.port != 0:
            raise ValueError("HTTP_PORT and SIDE_PORT must differ")
        return self


COMPLETE = {
    "SUPPORTOPS_MODE": "test",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DATABASE_URL": "postgresql://csat:hunter2hunter2@db/csat",
    "HOOK_SECRETS": "first-secret, second-secret",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in describe(Settings):
        monkeypatch.delenv(variable.name, raising=False)
        monkeypatch.delenv(f"{variable.name}_FILE", raising=False)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def _problems() -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    return str(caught.value)


def test_reads_blocks_and_defaults(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHUTDOWN_GRACE", "3s")
    environment.setenv("HOOK_ACCOUNTS", "1,2")
    settings = Settings.load()
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.shutdown.grace == timedelta(seconds=3)
    assert settings.hook.accounts == ("1", "2")
    assert [secret.get_secret_value() for secret in settings.hook.secrets] == [
        "first-secret",
        "second-secret",
    ]


def test_names_everything_that_is_missing_or_wrong_in_one_error(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("KAFKA_BOOTSTRAP_SERVERS")
    environment.delenv("DATABASE_URL")
    environment.setenv("KAFKA_FLAVOUR", "rabbit")
    environment.setenv("HTTP_PORT", "99999")
    environment.setenv("SHUTDOWN_GRACE", "20")
    said = _problems()
    assert "5 to put right" in said
    assert "KAFKA_BOOTSTRAP_SERVERS: is missing" in said
    assert "DATABASE_URL (or DATABASE_URL_FILE): is missing" in said
    assert "KAFKA_FLAVOUR: is none of the allowed values; allowed: 'apache' or 'embedded'" in said
    assert "HTTP_PORT: should be less than or equal to 65535" in said
    assert "SHUTDOWN_GRACE: must be a number with a unit" in said


def test_an_error_never_shows_the_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "mysql://root:hunter2hunter2@db/x")
    assert "hunter2" not in _problems()


def test_set_to_nothing_counts_as_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PORT", "")
    environment.setenv("KAFKA_BOOTSTRAP_SERVERS", "")
    assert "KAFKA_BOOTSTRAP_SERVERS: is missing" in _problems()


def test_a_secret_may_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("HOOK_SECRETS")
    (tmp_path / "secrets").write_text("one-of-them\nthe-other\n")
    environment.setenv("HOOK_SECRETS_FILE", str(tmp_path / "secrets"))
    assert [each.get_secret_value() for each in Settings.load().hook.secrets] == ["one-of-them", "the-other"]


def test_the_variable_goes_before_its_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-file")
    environment.setenv("HOOK_SECRETS_FILE", str(tmp_path / "secret"))
    assert Settings.load().hook.secrets[0].get_secret_value() == "first-secret"


def test_a_file_that_is_not_there_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("DATABASE_URL")
    environment.setenv("DATABASE_URL_FILE", str(tmp_path / "nowhere"))
    assert "DATABASE_URL_FILE: the file" in _problems()


@pytest.mark.parametrize("nothing", ["", "\n", " \n"])
def test_a_file_with_nothing_in_it_counts_as_not_set(
    environment: pytest.MonkeyPatch, tmp_path: Path, nothing: str
) -> None:
    environment.delenv("HOOK_SECRETS")
    for variable in ("HOOK_SECRETS_FILE", "DATABASE_PASSWORD_FILE"):
        (tmp_path / "empty").write_text(nothing)
        environment.setenv(variable, str(tmp_path / "empty"))
    assert "HOOK_SECRETS (or HOOK_SECRETS_FILE): is missing" in _problems()
    assert "DATABASE_PASSWORD" not in _problems()


def test_a_database_password_may_lie_beside_its_address(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("a/b@c:d%e 0123456789\n")
    environment.setenv("DATABASE_URL", "postgresql://csat@db:5433/csat")
    environment.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    settings = Settings.load()
    address = make_url(settings.database.address())
    assert (address.username, address.password) == ("csat", "a/b@c:d%e 0123456789")
    assert (address.host, address.port, address.database) == ("db", 5433, "csat")
    assert "a/b@c:d%e 0123456789" in settings.secrets()
    assert ("DATABASE_PASSWORD", "a/b@c:d%e 0123456789") in set(settings.database.credentials())


@pytest.mark.parametrize(
    "url", ["postgresql://csat:hunter2hunter2@db/csat", "postgresql://db/csat", "sqlite:///x.db"]
)
def test_a_database_password_without_a_user_to_belong_to_is_refused(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    environment.setenv("DATABASE_URL", url)
    environment.setenv("DATABASE_PASSWORD", "another-password-0123")
    assert "DATABASE_PASSWORD needs a DATABASE_URL such as postgresql://user@host/name" in _problems()


def test_only_secrets_may_come_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("KAFKA_BOOTSTRAP_SERVERS")
    (tmp_path / "servers").write_text("x:1")
    environment.setenv("KAFKA_BOOTSTRAP_SERVERS_FILE", str(tmp_path / "servers"))
    assert "KAFKA_BOOTSTRAP_SERVERS: is missing" in _problems()


def test_blocks_are_compared_by_the_service(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PORT", "9090")
    assert "HTTP_PORT and SIDE_PORT must differ" in _problems()


@pytest.mark.usefixtures("environment")
def test_summary_and_repr_show_no_secret() -> None:
    settings = Settings.load()
    shown = f"{settings.summary()} {settings!r}"
    assert "hunter2" not in shown
    assert "first-secret" not in shown
    assert settings.summary()["DATABASE_URL"] == "(set, not shown)"
    assert settings.summary()["SHUTDOWN_GRACE"] == "20s"


@pytest.mark.usefixtures("environment")
def test_the_log_filter_gets_every_secret_value() -> None:
    secrets = Settings.load().secrets()
    assert set(secrets) == {COMPLETE["DATABASE_URL"], "first-secret", "second-secret"}


@pytest.mark.usefixtures("environment")
def test_settings_are_frozen() -> None:
    http: Any = Settings.load().http
    with pytest.raises(ValidationError):
        http.port = 1


def test_describes_every_variable_once_with_its_meaning() -> None:
    variables = {each.name: each for each in describe(Settings)}
    assert len(variables) == len(describe(Settings))
    assert all(each.meaning.endswith(".") for each in variables.values())
    assert variables["KAFKA_FLAVOUR"].allowed == "apache, embedded"
    assert variables["KAFKA_FLAVOUR"].default == "apache"
    assert variables["DATABASE_URL"].default is None
    assert variables["DATABASE_URL"].secret
    assert variables["HTTP_PORT"].allowed == "at least 0, at most 65535"


def test_a_field_that_is_no_block_is_a_mistake_of_ours() -> None:
    class Odd(ServiceSettings):
        port: int

    with pytest.raises(TypeError, match=r"Odd\.port"):
        describe(Odd)


@for_each(
    "address",
    [
        "http://acme.zendesk.com",
        "ftp://x",
        "acme.zendesk.com",
        "https://u:p@acme.zendesk.com",
        "https://x/?a=b",
    ],
)
def test_zendesk_address_must_be_safe(address: str) -> None:
    with pytest.raises(ValidationError, match="must be"):
        ZendeskSettings(base_url=address, email="ops@example.com", token=SecretStr("t"))


@for_each(
    "address", ["https://acme.zendesk.com/", "http://127.0.0.1:9400/zendesk", "http://sandbox:9400/zendesk"]
)
def test_zendesk_address_of_an_account_or_a_stand_in(address: str) -> None:
    settings = ZendeskSettings(base_url=address, email="ops@example.com", token=SecretStr("t"))
    assert settings.base_url == address.rstrip("/")


def test_sasl_needs_name_and_password() -> None:
    with pytest.raises(ValidationError, match="KAFKA_SASL_USERNAME"):
        KafkaSettings(bootstrap_servers="b:1", security_protocol="SASL_SSL")
