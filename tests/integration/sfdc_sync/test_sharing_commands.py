"""The commands of `sharing` as people type them: on the database alone, the worker does the rest."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from supportops.store.migrate import upgrade
from tests.support.commands import run_command
from tests.support.for_each import for_each
from tests.support.processes import clean_environment
from tests.unit.sfdc_sync.test_sharing_following import DESCRIPTION, api

TOKEN = "glpat-sandbox"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A command of the group with nothing but an address of the database."""
    url = f"sqlite:///{tmp_path / 'sfdc.db'}"
    upgrade(url, "sfdc_sync")

    def sharing(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = clean_environment({"DATABASE_URL": url, **environment})
        return run_command("sfdc_sync", "sharing", *arguments, environment=known)

    return sharing


REQUEST = ("request", "1", "--ticket", "2", "--option", "all_view", "--by", "ada")


def test_what_is_asked_can_be_seen_refused_and_proved(run: Run) -> None:
    assert json.loads(run(*REQUEST, "--json").stdout) == [{"request": 1, "state": "checking"}]
    again = run(*REQUEST)
    assert (again.returncode, "request 1 for organization 1 is still open" in again.stderr) == (1, True)
    shown = json.loads(run("show", "1", "--json").stdout)
    assert (shown["option"], shown["requested_by"], shown["access"]) == ("all_view", "ada", [])
    assert [each["action"] for each in shown["audit"]] == ["asked"]
    assert any("sharing_check" in name for name in shown["waits"])
    early = run("approve", "1", "--by", "ben")
    assert (early.returncode, "is checking" in early.stderr) == (1, True)
    assert run("refuse", "1", "--by", "ben", "--reason", "not now").returncode == 0
    assert json.loads(run("list", "--state", "refused", "--json").stdout)[0]["reason"] == "not now"
    proved = run("audit", "--verify", "--json")
    proof = json.loads(proved.stdout)[0]
    assert (proved.returncode, proof["whole"], proof["entries"]) == (0, True, 2)
    assert run("audit", "--verify", "--expect", proof["hash"]).returncode == 0
    assert run("audit", "--verify", "--expect", "0" * 64).returncode == 2
    assert "ada" in run("audit", "--request", "1").stdout
    assert run("drift").returncode == 0


def test_an_issue_is_imported_in_its_authors_name(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "issue.json"
    file.write_bytes(api())
    assert run("import", str(file), "--by", "ben").returncode == 0
    shown = json.loads(run("show", "1", "--json").stdout)
    assert (shown["requested_by"], shown["source"]) == ("carla", "https://gitlab.example/i/1")
    file.write_text("## Organization\n")
    wrong = run("import", str(file), "--by", "ben")
    assert (wrong.returncode, 'section "Ticket" is empty' in wrong.stderr) == (1, True)
    missing = run("import", str(tmp_path / "none.json"))
    assert missing.returncode == 1
    assert missing.stderr.endswith("none.json: No such file or directory\n")
    assert "Traceback" not in missing.stderr


def test_an_issue_is_read_from_gitlab_by_its_address_and_from_nowhere_else(
    run: Run, sandbox_url: str
) -> None:
    base = f"{sandbox_url}/gitlab"
    gitlab = {"GITLAB_BASE_URL": base, "GITLAB_TOKEN": TOKEN}
    answer = httpx.post(
        f"{base}/api/v4/projects/support%2Ffeedback/issues",
        json={"title": "Share", "description": DESCRIPTION},
        headers={"PRIVATE-TOKEN": TOKEN},
    )
    made = answer.json()
    here = f"{base}/support/feedback/-/issues/{made['iid']}"
    elsewhere = run("import", here.replace("127.0.0.1", "localhost"), **gitlab)
    assert (elsewhere.returncode, "is not one of" in elsewhere.stderr) == (1, True), elsewhere.stderr
    unset = run("import", here)
    assert (unset.returncode, "GITLAB_TOKEN" in unset.stderr) == (1, True), unset.stderr
    absent = run("import", "support/feedback#999999", **gitlab)
    assert (absent.returncode, "404" in absent.stderr) == (1, True), absent.stderr
    refused = run("import", here, GITLAB_BASE_URL=base, GITLAB_TOKEN="not-that-one-at-all")
    assert (refused.returncode, "401" in refused.stderr, "not-that-one" in refused.stderr) == (1, True, False)
    assert run("import", here, "--by", "ben", **gitlab).returncode == 0
    shown = json.loads(run("show", "1", "--json").stdout)
    assert (shown["requested_by"], shown["source"]) == (made["author"]["username"], made["web_url"])


@for_each(
    "arguments, code, words",
    [
        (("show", "9"), 1, "there is no request 9"),
        (("undo", "9", "--by", "ben", "--reason", "x"), 1, "there is no request 9"),
        (("request", "x", "--ticket", "2", "--option", "all_view", "--by", "ada"), 1, "named by its number"),
        (("request", "1", "--ticket", "2", "--option", "everything", "--by", "ada"), 2, "selected_view"),
        (("request", "1", "--ticket", "2", "--option", "all_view", "--by", " "), 1, "a name is needed"),
        (("approve", "0", "--by", "ben"), 2, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named(run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
