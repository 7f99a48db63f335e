"""The command line: commands by service, one message instead of a traceback, exit codes, --json."""

import json
import sqlite3
from collections.abc import Callable, Iterator

import pytest
import typer
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from supportops.config import DatabaseCommandSettings, ServiceSettings
from supportops.config.rules_file import ConfigError, Rules, Section
from supportops.errors import Permanent
from supportops.observability.logging import reset
from supportops.runtime.cli import UNUSABLE, AsJson, Service, build_app, execute, execute_with
from supportops.runtime.output import emit


class Policy(Rules):
    """A service's rules."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///hunter2.db")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    monkeypatch.delenv("DATABASE_URL_FILE", raising=False)
    return monkeypatch


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    yield
    reset()


def _service(run: Callable[[ServiceSettings], int]) -> Service[ServiceSettings, Policy]:
    async def serve(settings: ServiceSettings) -> int:
        return 7 if settings.database.pool == 10 else 8

    return Service(
        name="csat",
        package="csat",
        about="Asks for ratings.",
        settings=ServiceSettings,
        policy=lambda: Section("csat", Policy),
        serve=serve,
        run=run,
    )


def _call(
    *arguments: str, run: Callable[[ServiceSettings], int] = lambda _settings: 0
) -> tuple[int, str, str]:
    app = build_app(_service(run))

    @app.command()
    def kpi(as_json: AsJson = False) -> None:
        """Show the KPI."""
        emit({"good": 3, "bad": 1}, as_json=as_json)

    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_help_names_the_commands_it_has_and_no_others() -> None:
    code, out, _ = _call("--help")
    assert code == 0
    assert "Asks for ratings." in out
    assert all(name in out for name in ("serve", "migrate", "settings", "kpi"))
    assert " work " not in out


def test_a_services_own_commands_are_added_once_when_one_is_wanted() -> None:
    adding: list[str] = []

    def more(app: typer.Typer) -> None:
        adding.append("kpi")
        app.command("kpi")(lambda: None)

    app = build_app(_service(lambda _settings: 0), more)
    calls = (("run", 0), ("run --help", 0), ("kpy", 2), ("kpi", 0), ("--help", 0))
    seen = []
    for words, code in calls:
        result = CliRunner().invoke(app, words.split())
        assert result.exit_code == code, words
        seen.append((len(adding), "kpi" in result.output))
    assert seen == [(0, False), (0, False), (1, True), (1, False), (1, True)]


def test_every_command_has_help() -> None:
    assert "safe to run again" in _call("migrate", "--help")[1]
    assert "--json" in _call("kpi", "--help")[1]


def test_async_and_plain_commands_give_the_exit_code() -> None:
    assert _call("serve")[0] == 7
    assert _call("run", run=lambda settings: settings.database.pool)[0] == 10


def test_settings_that_cannot_be_used_are_one_message(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    code, out, err = _call("serve")
    assert (code, out) == (UNUSABLE, "")
    assert err.startswith("csat: The settings cannot be used, 1 to put right:\n  DATABASE_URL")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError(["x.yaml:3: a: is wrong"]), UNUSABLE), (Permanent("no"), 1)]
)
def test_known_mistakes_are_one_message(error: Exception, code: int) -> None:
    def run(_settings: ServiceSettings) -> int:
        raise error

    exit_code, _, err = _call("run", run=run)
    assert exit_code == code
    assert str(error) in err
    assert "Traceback" not in err


NO_TABLE = OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: deliveries"))
AWAY = OperationalError(
    "SELECT 1", {}, ConnectionRefusedError("10.0.0.7:5432 hunter2"), connection_invalidated=True
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NO_TABLE, "csat: the database lacks tables or columns of this version: run `csat migrate`\n"),
        (
            AWAY,
            "csat: the database cannot be used (ConnectionRefusedError): "
            "check DATABASE_URL, and that the server runs and takes this role's password\n",
        ),
        (FileNotFoundError(2, "No such file", "/run/x.pem"), "csat: /run/x.pem: No such file\n"),
    ],
)
def test_an_outage_is_one_line_with_its_remedy(error: Exception, line: str) -> None:
    def run(_settings: ServiceSettings) -> int:
        raise error

    code, _, err = _call("run", run=run)
    assert (code, err.splitlines(keepends=True)[1:]) == (1, [line])  # the first is the log's, of the start


def test_migrating_needs_the_database_alone(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("KAFKA_BOOTSTRAP_SERVERS")
    environment.setenv("DATABASE_URL", "postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    code, _, err = _call("migrate")
    assert code == 1
    assert "the database cannot be used (ConnectionRefusedError)" in err
    assert "hunter2" not in err


def test_a_mistake_of_ours_shows_its_traceback() -> None:
    def run(_settings: ServiceSettings) -> int:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        CliRunner().invoke(build_app(_service(run)), ["run"], catch_exceptions=False)


def test_a_command_reads_only_the_settings_that_it_declares(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("KAFKA_BOOTSTRAP_SERVERS")
    pools: list[int] = []

    def look(settings: DatabaseCommandSettings) -> int:
        pools.append(settings.database.pool)
        return 0

    assert execute_with(_service(lambda _settings: 0), DatabaseCommandSettings, look) == 0
    assert execute(_service(lambda _settings: 0), lambda _settings: 0) == UNUSABLE
    assert pools == [10]


def test_an_unknown_command_is_a_usage_error() -> None:
    assert _call("frobnicate")[0] == 2


def test_settings_are_shown_with_meaning_and_without_secrets() -> None:
    code, out, _ = _call("settings", "--json")
    shown = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert shown["DATABASE_URL"]["value"] == "(set, not shown)"
    assert shown["KAFKA_SASL_PASSWORD"]["value"] == "(not set)"
    assert shown["SHUTDOWN_GRACE"]["default"] == "20s"
    assert "hunter2" not in out


def test_settings_are_shown_also_when_they_cannot_be_used(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    code, out, err = _call("settings")
    assert code == UNUSABLE
    assert "DATABASE_URL\t?\t(must be set)" in out
    assert "KAFKA_BOOTSTRAP_SERVERS\t127.0.0.1:9092\t(must be set)" in out  # what can be read is shown
    assert "DATABASE_URL (or DATABASE_URL_FILE): is missing" in err


def test_json_on_demand_and_plain_lines_else() -> None:
    assert json.loads(_call("kpi", "--json")[1]) == {"good": 3, "bad": 1}
    assert _call("kpi")[1] == "field\tvalue\ngood\t3\nbad\t1\n"
