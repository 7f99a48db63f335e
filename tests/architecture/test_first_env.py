"""A newcomer's .env and secrets: what .env.example marks suffices, each is missed by name; the sandbox's suffice."""

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
from tests.support.compose_file import (
    env_file,
    environment_of,
    interpolated,
    secret_files,
    with_secrets_in,
)

MARKED = tuple(re.findall(r"\(required\)\n([A-Z_]+)=\n", env_example.FILE.read_text()))
MARKED_SECRETS = tuple(re.findall(r"\(required secret\)\n#([A-Z_]+)=\n", env_example.FILE.read_text()))
SANDBOX_ENV = ROOT / "deploy/sandbox.env"
PLAIN = {
    "ZENDESK_BASE_URL": "https://acme.zendesk.com",
    "SALESFORCE_LOGIN_URL": "https://acme.my.salesforce.com",
    "CSAT_BASE_URL": "https://survey.example.com",
    "INGEST_ACCOUNT_ID": "22129",
    "INGEST_INTEGRATION_USER_IDS": "8447",
}


type Newcomer = tuple[dict[str, str], dict[str, str]]
"""What somebody has written: variables of .env, and secrets by their variable's name."""


def filled() -> Newcomer:
    """What somebody writes who reads the marks and nothing else."""
    variables = {name: PLAIN.get(name) or secrets.token_hex(20) for name in MARKED}
    return variables, {name: secrets.token_hex(20) for name in MARKED_SECRETS}


def of_the_sandbox() -> Newcomer:
    """The sandbox's own file, and the folder of secrets that it names."""
    variables = env_file(SANDBOX_ENV.read_text())
    files = {
        name.upper(): (ROOT / interpolated(path, variables)).read_text()
        for name, path in secret_files().items()
    }
    return variables, {name: value.strip() for name, value in files.items() if value}


def preflight(newcomer: Newcomer, *, sandbox: bool = False) -> tuple[int, str]:
    """As compose would run it."""
    variables, files = newcomer
    seen = environment_of("preflight", variables) | files
    answer: tuple[int, str] = env_example.PREFLIGHT["check"](seen, sandbox)
    return answer


def load_all(monkeypatch: pytest.MonkeyPatch, newcomer: Newcomer, folder: Path) -> None:
    """The settings of every service, each from its container's environment; no secret of its files is left unread."""
    variables, files = newcomer
    for name in secret_files():
        (folder / name).write_text(f"{files.get(name.upper(), '')}\n")
    for container, settings in CONTAINERS.items():
        environment = with_secrets_in(folder, environment_of(container, variables))
        with monkeypatch.context() as patch:
            for name in env_example.variables():
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            read = set(settings.load().secrets())
        given = {Path(value).name.upper() for value in environment.values() if value.startswith(str(folder))}
        assert {files[name] for name in given if name in files} <= read


def test_the_marks_are_what_the_preflight_demands() -> None:
    assert {*MARKED, *MARKED_SECRETS} == set(env_example.REQUIRED)


def test_the_preflight_sees_every_secret_there_is() -> None:
    """Each secret setting of a service is a file in compose, but for the database's, which has a name per role."""
    assert {name.upper() for name in secret_files()} == set(env_example.PREFLIGHT["SECRETS"])
    known = {
        name
        for name, readers in env_example.variables().items()
        if any(variable.secret for _, variable in readers)
    }
    assert known - {"DATABASE_URL", "DATABASE_PASSWORD"} <= set(env_example.PREFLIGHT["SECRETS"])


def test_what_is_marked_suffices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    newcomer = filled()
    assert preflight(newcomer) == (0, "preflight: every account and password is set")
    load_all(monkeypatch, newcomer, tmp_path)


@pytest.mark.parametrize("name", [*MARKED, *MARKED_SECRETS])
def test_what_is_left_out_is_named(name: str) -> None:
    variables, files = filled()
    variables.pop(name, None)
    files.pop(name, None)
    code, said = preflight((variables, files))
    assert code == 1
    assert f"{name}: is missing" in said
    assert said.count("is missing") == 1


def test_secrets_that_env_still_holds_are_named_and_not_read() -> None:
    variables, files = filled()
    left = files.pop("SLACK_TOKEN")
    code, said = preflight((variables | {"SLACK_TOKEN": left}, files))
    assert code == 1
    assert "SLACK_TOKEN: is missing in secrets/: .env is not read for secrets" in said
    assert left not in said


def test_whatever_a_service_demands_is_marked_or_known_to_compose() -> None:
    known = {"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"}
    demanded = {
        name
        for name, readers in env_example.variables().items()
        if any(variable.default is None for _, variable in readers)
    }
    assert demanded - known <= {*MARKED, *MARKED_SECRETS}


def test_the_sandbox_needs_no_other_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert preflight(of_the_sandbox(), sandbox=True)[0] == 0
    load_all(monkeypatch, of_the_sandbox(), tmp_path)


def test_nothing_of_the_sandbox_passes_in_production() -> None:
    variables, files = of_the_sandbox()
    code, said = preflight((variables | {"SUPPORTOPS_MODE": "production"}, files), sandbox=True)
    assert code == 1
    assert len(files) >= len(MARKED_SECRETS)
    assert [name for name in files if f"{name}: is published" not in said] == []


def test_every_published_secret_is_on_the_list() -> None:
    stand_ins = StandIns()
    keys = {getattr(stand_ins, field.name) for field in fields(StandIns) if field.name.endswith("_key")}
    of_the_demo = {value for name, value in vars(demo).items() if name.endswith(("_KEY", "_HASH"))}
    assert keys | of_the_demo | set(of_the_sandbox()[1].values()) <= PUBLISHED


def test_compose_itself_holds_nothing_published() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert [secret for secret in PUBLISHED if f"-{secret}}}" in text or f": {secret}\n" in text] == []


def test_compose_reads_such_a_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("no Docker with the compose plug-in; the tests above read the file as it would")
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in filled()[0].items()))
    command = [docker, "compose", "--env-file", str(file), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
