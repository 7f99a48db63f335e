"""However the first process of a run goes, nothing that it started is left: children, their children, folders."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sandbox.demo import reaper
from tests.support.eventually import eventually_now
from tests.support.processes import clean_environment, python_module

PROGRAM = "tests.support.started_family"


def gone(pids: list[int]) -> bool:
    """None of them lives; a zombie is dead, whether or not somebody has asked how it ended."""
    alive = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                alive.append(pid)
    assert not alive
    return True


@pytest.fixture
def family(tmp_path: Path) -> "subprocess.Popen[str]":
    """A first process with a folder and a command to run; its children neither hear SIGTERM nor share its group."""
    return subprocess.Popen(
        python_module(PROGRAM, str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment({}),
        start_new_session=True,
    )


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None], ids=str)
def test_nothing_is_left_of_a_run(
    family: "subprocess.Popen[str]", tmp_path: Path, sign: signal.Signals | None
) -> None:
    with family:
        assert family.stdout is not None
        pids = json.loads(family.stdout.readline())
        assert len(pids) == 3
        assert all(psutil.pid_exists(pid) for pid in pids)
        if sign is None:
            family.communicate("end\n", timeout=30)
        else:
            family.send_signal(sign)
            family.wait(timeout=30)
    eventually_now(lambda: gone(pids), within=30, about="everybody is gone")
    eventually_now(lambda: not (tmp_path / "data").exists(), within=30, about="the folder is gone")
    eventually_now((tmp_path / "told").exists, within=30, about="the command has run")


WRITES_ON = """
from sandbox.demo import reaper

folder = reaper.temporary_folder("left-")
print(folder, flush=True)
writes_for_a_minute = 'echo $$ >"$0/pid"; while [ $((n += 1)) -lt 600 ]; do mkdir -p "$0/data"; sleep 0.1; done'
reaper.run(["/bin/sh", "-c", writes_for_a_minute, str(folder)])
"""


def test_a_command_that_writes_into_a_folder_of_the_run_ends_with_it(tmp_path: Path) -> None:
    """Java's formatting of Kafka's storage did not: it made the folder again after the reaper had removed it."""
    first = subprocess.Popen(
        [sys.executable, "-c", WRITES_ON],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment({"TMPDIR": str(tmp_path)}),
    )
    with first:
        assert first.stdout is not None
        folder = Path(first.stdout.readline().strip())
        eventually_now((folder / "data").exists, within=30, about="the command writes")
        writer = int((folder / "pid").read_text())
        first.kill()
        first.wait(timeout=30)
    eventually_now(lambda: gone([writer]), within=30, about="the writer is gone")
    eventually_now(
        lambda: list(tmp_path.iterdir()) == [], within=30, about="its folder and the register are gone"
    )


def test_what_a_command_said_and_how_long_it_may_take() -> None:
    said = reaper.run(["/bin/sh", "-c", "echo $WORD; echo wrong >&2; exit 3"], environment={"WORD": "right"})
    assert (said.returncode, said.stdout) == (3, "right\nwrong\n")
    with pytest.raises(subprocess.TimeoutExpired):
        reaper.run(["/bin/sleep", "60"], seconds=0.1)


def test_a_child_runs_under_its_own_number_with_its_own_output() -> None:
    program = ["/bin/sh", "-c", "echo $$; echo wrong >&2"]
    with reaper.guarded(program) as (command, register):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=register, text=True)
    assert child.communicate(timeout=30)[0].splitlines() == [str(child.pid), "wrong"]
    with reaper.guarded(program, "2>/dev/null") as (command, register):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=register, text=True)
    assert child.communicate(timeout=30)[0].splitlines() == [str(child.pid)]


def test_who_has_ended_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "register"
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    path.write_text(f"process {child.pid}\nprocess {os.getpid()}\nproc")
    with path.open("rb") as lines:
        register = reaper.Register(lines)
        register.read()
        assert list(register.pids) == [child.pid, os.getpid()]
        child.communicate(timeout=30)
        register.drop_ended()
        assert list(register.pids) == [os.getpid()]
        with path.open("a") as more:
            more.write('ess 1\nfolder "/a b"\n')
        register.read()
        assert list(register.pids) == [os.getpid(), 1]
        assert register.folders == ["/a b"]
