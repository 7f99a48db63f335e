"""deploy/make_secrets.py: ours are made up, an older .env's are taken over, what holds something is left alone."""

import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supportops.config.secret_rules import weakness
from tests.architecture.tree import ROOT
from tests.support.compose_file import secret_files

SCRIPT = ROOT / "deploy/make_secrets.py"
TOOL: dict[str, Any] = runpy.run_path(str(SCRIPT))
make: Callable[[Path, list[str], dict[str, str]], dict[str, list[str]]] = TOOL["make"]
NAMES = list(secret_files())


def contents(folder: Path) -> dict[str, str]:
    """Every file's text, without its line's end."""
    return {file.name: file.read_text().strip() for file in folder.iterdir()}


def test_it_knows_the_secrets_of_the_compose_file() -> None:
    assert TOOL["wanted"]((ROOT / "docker-compose.yml").read_text()) == NAMES
    assert {*TOOL["OURS"], *TOOL["NEEDED"], TOOL["SESSION_KEYS"], TOOL["PASSWORD_HASH"]} <= set(NAMES)


def test_what_is_ours_is_made_up_and_the_rest_is_there_and_empty(tmp_path: Path) -> None:
    make(tmp_path / "secrets", NAMES, {})
    found = contents(tmp_path / "secrets")
    assert set(found) == set(NAMES)
    assert {name for name, value in found.items() if value} == set(TOOL["OURS"])
    assert [weakness(found[name]) for name in TOOL["OURS"]] == [""] * len(TOOL["OURS"])
    assert len({found[name] for name in TOOL["OURS"]}) == len(TOOL["OURS"])


def test_others_on_this_machine_are_kept_out_and_containers_are_not(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make(tmp_path / "secrets", NAMES, {})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()}
    assert modes == {0o644}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_second_run_touches_nothing_that_holds_something(tmp_path: Path) -> None:
    make(tmp_path, NAMES, {})
    (tmp_path / "slack_token").write_text("xoxb-mine\n")
    before = contents(tmp_path)
    assert make(tmp_path, NAMES, {"SLACK_TOKEN": "another", "POSTGRES_PASSWORD": "another"}) == {}
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("SLACK_TOKEN=xoxb-1", "xoxb-1"),
        ("export SLACK_TOKEN = xoxb-1  # the bot's", "xoxb-1"),
        ("SLACK_TOKEN='$argon2id$v=19$m=1#x' # quoted", "$argon2id$v=19$m=1#x"),
        ('SLACK_TOKEN="a b"', "a b"),
        ("SLACK_TOKEN=abc#def", "abc#def"),
        ("SLACK_TOKEN=  # none yet", ""),
        ("#SLACK_TOKEN=xoxb-1", ""),
    ],
)
def test_an_older_env_is_taken_over(tmp_path: Path, line: str, value: str) -> None:
    done = make(tmp_path, NAMES, TOOL["variables"](f"A=1\n{line}\n"))
    assert contents(tmp_path)["slack_token"] == value
    assert done.get("taken over from .env", []) == (["slack_token"] if value else [])


def test_passwords_that_are_in_force_are_kept_and_former_names_are_known(tmp_path: Path) -> None:
    """A database that exists has its passwords already; a password for the pages needs keys for sessions."""
    make(tmp_path, NAMES, {"POSTGRES_PASSWORD": "of-old", "CSAT_DASHBOARD_PASSWORD_HASH": "$argon2id$x"})
    found = contents(tmp_path)
    assert (found["postgres_password"], found["operators_password_hash"]) == ("of-old", "$argon2id$x")
    assert weakness(found["operators_session_keys"]) == ""


def test_it_says_names_and_never_values(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    environment = os.environ | {"SECRETS_DIR": str(folder)}

    def run() -> str:
        done = subprocess.run([sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    first, second = run(), run()
    assert "made up: postgres_password" in first
    assert "nothing to do" in second
    for said in (first, second):
        assert str(folder / "slack_token") in said
        assert not any(value and value in said for value in contents(folder).values())
