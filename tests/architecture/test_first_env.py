"""A newcomer's .env: what .env.example marks suffices, and each is missed by name; so with the sandbox's own file."""

import re
import secrets
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from sandbox import demo
from sandbox.settings import Settings as StandIns
from supportops.config.secret_rules import PUBLISHED
from tests.architecture.test_settings import CONTAINERS
from tests.architecture.tree import ROOT
from tests.support import env_example
from tests.support.compose_file import env_file, environment_of

MARKED = tuple(re.findall(r"\(required\)\n([A-Z_]+)=\n", env_example.FILE.read_text()))
SANDBOX_ENV = ROOT / "deploy/sandbox.env"
PLAIN = {
    "ZENDESK_BASE_URL": "https://acme.zendesk.com",
    "SALESFORCE_LOGIN_URL": "https://acme.my.salesforce.com",
    "CSAT_BASE_URL": "https://survey.example.com",
    "INGEST_ACCOUNT_ID": "22129",
    "INGEST_INTEGRATION_USER_IDS": "8447",
}


def filled() -> dict[str, str]:
    """What somebody writes who reads the marks and nothing else."""
    return {name: PLAIN.get(name) or secrets.token_hex(20) for name in MARKED}


def preflight(variables: dict[str, str], *, sandbox: bool = False) -> tuple[int, str]:
    """As compose would run it."""
    answer: tuple[int, str] = env_example.PREFLIGHT["check"](environment_of("preflight", variables), sandbox)
    return answer


def load_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """The settings of every service, each from its container's environment."""
    for container, settings in CONTAINERS.items():
        with monkeypatch.context() as patch:
            for name in env_example.variables():
                patch.delenv(name, raising=False)
            for name, value in environment_of(container, variables).items():
                patch.setenv(name, value)
            settings.load()


def test_the_marks_are_what_the_preflight_demands() -> None:
    assert set(MARKED) == set(env_example.REQUIRED)


def test_what_is_marked_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight(filled()) == (0, "preflight: every account and password is set")
    load_all(monkeypatch, filled())


@pytest.mark.parametrize("name", MARKED)
def test_what_is_left_out_is_named(name: str) -> None:
    code, said = preflight({other: value for other, value in filled().items() if other != name})
    assert code == 1
    assert f"{name}: is missing" in said
    assert said.count("is missing") == 1


def test_whatever_a_service_demands_is_marked_or_known_to_compose() -> None:
    known = {"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"}
    demanded = {
        name
        for name, readers in env_example.variables().items()
        if any(variable.default is None for _, variable in readers)
    }
    assert demanded - known <= set(MARKED)


def test_the_sandbox_needs_no_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = env_file(SANDBOX_ENV.read_text())
    assert preflight(variables, sandbox=True)[0] == 0
    load_all(monkeypatch, variables)


def test_nothing_of_the_sandbox_passes_in_production() -> None:
    variables = env_file(SANDBOX_ENV.read_text()) | {"SUPPORTOPS_MODE": "production"}
    code, said = preflight(variables, sandbox=True)
    named = {name for name in env_example.PREFLIGHT["SECRETS"] if variables.get(name)}
    assert code == 1
    assert named == {name for name in named if f"{name}: is published" in said}


def test_every_published_secret_is_on_the_list() -> None:
    stand_ins = StandIns()
    keys = {getattr(stand_ins, field.name) for field in fields(StandIns) if field.name.endswith("_key")}
    of_the_demo = {value for name, value in vars(demo).items() if name.endswith(("_KEY", "_HASH"))}
    variables = env_file(SANDBOX_ENV.read_text())
    of_compose = {variables[name] for name in env_example.PREFLIGHT["SECRETS"] if variables.get(name)}
    assert keys | of_the_demo | of_compose <= PUBLISHED


def test_compose_itself_holds_nothing_published() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert [secret for secret in PUBLISHED if f"-{secret}}}" in text or f": {secret}\n" in text] == []


def test_compose_reads_such_a_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("no Docker with the compose plug-in; the tests above read the file as it would")
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in filled().items()))
    command = [docker, "compose", "--env-file", str(file), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
