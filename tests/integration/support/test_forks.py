"""A program that is forked is a process as `python -m` would start it: its files, its end, its signals."""

import json
import os
import signal
from pathlib import Path

import pytest

from sandbox.demo import reaper
from tests.support.commands import run_command
from tests.support.eventually import eventually_now
from tests.support.forks import ForkedChild
from tests.support.processes import ChildProcess, python_module


@pytest.mark.parametrize(
    ("answer", "code", "out", "error"), [("{}", 0, "{}\n", ""), ("{", 1, "", "line 1 column 2")]
)
def test_it_reads_says_and_ends(answer: str, code: int, out: str, error: str) -> None:
    done = run_command("json.tool", environment={}, answer=answer)
    assert (done.returncode, done.stdout) == (code, out)
    assert error in done.stderr


def test_it_leads_a_session_is_known_to_the_reaper_and_can_be_killed(tmp_path: Path) -> None:
    """How signals end it, is seen in tests/integration/supportops/test_runtime_signals.py."""
    register = Path(os.environ[reaper.REGISTER])
    child = ForkedChild(python_module("http.server", "--bind", "127.0.0.1", "0"), log=tmp_path / "log")
    child.start()
    try:
        eventually_now(
            lambda: f"process {child.pid}\n" in register.read_text(), about="it is in the register"
        )
        assert os.getsid(child.pid) == child.pid
        assert child.running, child.tail()
    finally:
        child.kill()
    assert child.returncode == -signal.SIGKILL


def test_it_begins_as_one_that_is_started_from_nothing(tmp_path: Path) -> None:
    """What is killed, interrupted or hangs in a fork would be killed, be interrupted and hang in a process as well."""
    command = python_module("tests.integration.support.state_program", "a", "word")
    environment = {"TZ": "Asia/Tokyo", "OF_THIS_TEST": "1"}
    started, forked = (
        begins(kind(command, log=tmp_path / kind.__name__, environment=environment))
        for kind in (ChildProcess, ForkedChild)
    )
    assert forked == started


def begins(child: ChildProcess) -> object:
    """The state that the program says."""
    child.start()
    assert child.ended(within=20) == 0, child.tail()
    return json.loads(child.log.read_text())
