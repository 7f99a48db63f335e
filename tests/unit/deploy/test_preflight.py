"""Compose's preflight names everything that is missing or unsafe, in one message, and asks nobody but in a test."""

import re
import runpy
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT

PREFLIGHT: dict[str, Any] = runpy.run_path(str(ROOT / "deploy/preflight.py"))
check: Callable[[dict[str, str], bool], tuple[int, str]] = PREFLIGHT["check"]
read: Callable[[Path], tuple[dict[str, str], list[str]]] = PREFLIGHT["read"]
REQUIRED: tuple[str, ...] = PREFLIGHT["REQUIRED"]
SECRETS: tuple[str, ...] = PREFLIGHT["SECRETS"]


@pytest.fixture
def real() -> dict[str, str]:
    """A .env of real accounts."""
    addresses = {
        "ZENDESK_BASE_URL": "https://acme.zendesk.com",
        "SALESFORCE_LOGIN_URL": "https://acme.my.salesforce.com",
    }
    return {name: secrets.token_hex(16) for name in REQUIRED} | addresses


def test_everything_set_starts_the_services(real: dict[str, str]) -> None:
    assert check(real, False)[0] == 0


def test_all_that_is_missing_is_named_at_once(real: dict[str, str]) -> None:
    del real[REQUIRED[0]], real[REQUIRED[1]]
    code, said = check(real, False)
    assert code == 1
    assert re.search(rf"\n  {REQUIRED[0]}: is missing.*\n  {REQUIRED[1]}: is missing", said)
    assert REQUIRED[2] not in said


def test_a_sandbox_that_answers_fills_no_gap_of_production() -> None:
    code, said = check({}, True)
    assert code == 1
    assert all(name in said for name in REQUIRED)


def test_an_api_token_stands_for_the_client_while_they_last(real: dict[str, str]) -> None:
    del real["ZENDESK_CLIENT_ID"], real["ZENDESK_CLIENT_SECRET"]
    token = {"ZENDESK_EMAIL": "ops@acme.example", "ZENDESK_TOKEN": secrets.token_hex(20)}
    assert check(real | token, False)[0] == 0
    assert "ZENDESK_CLIENT_SECRET: is missing" in check(real | {"ZENDESK_EMAIL": "x"}, False)[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"CSAT_LINK_KEYS": "x"}, "CSAT_LINK_KEYS: must have at least 16"),
        ({"SLACK_TOKEN": "xoxb-sandbox"}, "SLACK_TOKEN: is published"),
        (
            {"ZENDESK_BASE_URL": "http://sandbox:9400/zendesk"},
            "ZENDESK_BASE_URL: is the address of a stand-in",
        ),
        ({"GITLAB_BASE_URL": "http://sandbox:9400/gitlab"}, "GITLAB_BASE_URL: is the address of a stand-in"),
        ({"GITLAB_TOKEN": "glpat-sandbox"}, "GITLAB_TOKEN: is published"),
        (
            {"KAFKA_SASL_PASSWORD": 'a"b' + "0123456789abcXYZ"},
            "KAFKA_SASL_PASSWORD: may have letters, digits",
        ),
        ({"KAFKA_SASL_PASSWORD": "0123456789\nabcXYZ"}, "KAFKA_SASL_PASSWORD: may have letters, digits"),
    ],
)
def test_what_is_unsafe_is_named(real: dict[str, str], change: dict[str, str], words: str) -> None:
    code, said = check(real | change, True)
    assert code == 1
    assert words in said


def test_secrets_are_read_from_a_file_each(tmp_path: Path) -> None:
    for name in SECRETS:
        (tmp_path / name.lower()).write_text("")
    (tmp_path / "slack_token").write_text("xoxb-0\n")
    assert read(tmp_path) == ({"SLACK_TOKEN": "xoxb-0"}, [])


def test_a_file_that_cannot_be_read_is_named_with_the_remedy(real: dict[str, str], tmp_path: Path) -> None:
    for name in SECRETS:
        (tmp_path / name.lower()).write_text("")
    (tmp_path / "slack_token").unlink()
    (tmp_path / "csat_link_keys").write_bytes(b"\xff\xfe")
    found, wrong = read(tmp_path)
    assert found == {}
    assert [line.partition(" cannot be read")[0] for line in wrong] == [
        "CSAT_LINK_KEYS: secrets/csat_link_keys",
        "SLACK_TOKEN: secrets/slack_token",
    ]
    code, said = PREFLIGHT["check"](real, False, wrong)
    assert code == 1
    assert "chmod" in said


@pytest.mark.parametrize("between", [",", "\n", "\n\n"])
def test_each_of_several_keys_is_looked_at(real: dict[str, str], between: str) -> None:
    assert (
        check(real | {"CSAT_LINK_KEYS": f"{'5b8f' * 2}1c0e7d92{between}{secrets.token_hex(16)}"}, False)[0]
        == 0
    )
    code, said = check(real | {"CSAT_LINK_KEYS": f"{secrets.token_hex(16)}{between}short"}, False)
    assert (code, said.count("CSAT_LINK_KEYS")) == (1, 1)
    assert "CSAT_LINK_KEYS: must have at least 16" in said


def test_one_value_in_two_services_is_found_here(real: dict[str, str]) -> None:
    real["CSAT_LINK_KEYS"] = f"{secrets.token_hex(16)},{real['SLACK_TOKEN']}"
    code, said = check(real, False)
    assert code == 1
    assert "CSAT_LINK_KEYS and SLACK_TOKEN: hold the same value" in said
    assert real["SLACK_TOKEN"] not in said


def test_a_test_wants_the_stand_ins_to_run_and_nothing_real(real: dict[str, str]) -> None:
    pretended = real | {
        "SUPPORTOPS_MODE": "test",
        "ZENDESK_BASE_URL": "http://sandbox:9400/zendesk",
        "SALESFORCE_SANDBOX_URL": "http://sandbox:9400/salesforce",
    }
    del pretended["SALESFORCE_LOGIN_URL"]
    assert check(pretended, True)[0] == 0
    assert "the stand-ins do not answer" in check(pretended, False)[1]
    mixed = pretended | {"SLACK_BASE_URL": "https://slack.com/api"}
    assert "SLACK_BASE_URL: is a real account" in check(mixed, True)[1]


@pytest.mark.parametrize("sandbox", [True, False])
def test_values_are_never_shown(sandbox: bool) -> None:
    assert "hush" not in check({"SLACK_TOKEN": "hush", "CSAT_API_TOKEN": "hush"}, sandbox)[1]
