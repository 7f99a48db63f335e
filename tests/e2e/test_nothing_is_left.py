"""Tests, demo, chaos and bench, interrupted or killed while their servers run: nothing of them is left."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.architecture.tree import ROOT
from tests.support.eventually import eventually_now
from tests.support.processes import PASSED_ON, answers, clean_environment, python_module

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KEYS = {"ingest", "csat", "notifier", "sandbox", "kafka", "webhook_secret"}
SERVERS = {"java", "postgres"}
# Servers from this machine's binaries: those in containers are no children of the first process, and an engine that
# is there when the session chooses may be gone when it starts them.
NO_DOCKER = "unix:///nowhere/docker.sock"
PYTEST = ("-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")
COMMANDS = {
    "tests": python_module("pytest", *PYTEST, "-n", "2", "tests/support/session_that_waits.py"),
    "chaos": python_module("pytest", *PYTEST, "tests/chaos/test_bad_days.py"),
    "bench": python_module("bench", "--only", "workers"),
}
Start = Callable[[list[str]], "subprocess.Popen[bytes]"]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the first process makes its folders: PostgreSQL's user, too, must be let through."""
    with tempfile.TemporaryDirectory(prefix="left-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def start(tmp_path: Path, temporary: Path) -> Iterator[Start]:
    """Starts a first process; it is killed when the test failed before it could."""
    started: list[subprocess.Popen[bytes]] = []

    def run(command: list[str]) -> "subprocess.Popen[bytes]":
        with (tmp_path / "output").open("wb") as out:
            environment = clean_environment(
                {"CI": "true", "TMPDIR": str(temporary), "DOCKER_HOST": NO_DOCKER}
            )
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait(timeout=30)


def family_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def names(family: list[psutil.Process]) -> set[str]:
    found = set()
    for member in family:
        try:
            found.add(member.name())
        except psutil.NoSuchProcess:
            continue
    return found


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for each in family:
        with suppress(psutil.NoSuchProcess):  # it may end between the two questions
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def ended(process: "subprocess.Popen[bytes]", family: list[psutil.Process], sign: signal.Signals) -> None:
    process.send_signal(sign)
    process.wait(timeout=120)
    eventually_now(lambda: not alive(family), within=60, about=f"nobody of {family}")


ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
IN_THE_GATE = {("tests", signal.SIGKILL), ("chaos", signal.SIGINT), ("bench", signal.SIGTERM)}
"""Each command and each signal: they have one reaper. `make chaos` has all the others."""


@pytest.mark.parametrize(
    ("what", "sign"),
    [
        pytest.param(what, sign, marks=[pytest.mark.long] if (what, sign) not in IN_THE_GATE else [])
        for what in COMMANDS
        for sign in ENDS
    ],
)
def test_no_server_is_left(
    start: Start, tmp_path: Path, temporary: Path, what: str, sign: signal.Signals
) -> None:
    process = start(COMMANDS[what])

    def servers_run() -> list[psutil.Process]:
        if process.poll() is not None:
            raise RuntimeError(f"ended by itself:\n{(tmp_path / 'output').read_text()[-3000:]}")
        family = family_of(process)
        assert names(family) >= SERVERS, names(family)
        return family

    ended(process, eventually_now(servers_run, within=120, every=0.1), sign)
    eventually_now(
        lambda: not list(temporary.glob("supportops-run-*")), within=30, about="the register is gone"
    )
    if sign != signal.SIGINT:  # by Ctrl-C pytest keeps its own folder of the last runs
        left = [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]
        assert left == []


@pytest.mark.parametrize(
    "sign", [signal.SIGKILL, *(pytest.param(sign, marks=pytest.mark.long) for sign in ENDS[:2])]
)
def test_a_demo_leaves_nothing_running(start: Start, tmp_path: Path, sign: signal.Signals) -> None:
    home = tmp_path / "demo"
    demo = start(python_module("sandbox.demo", "run", "--home", str(home), "--config", "config/demo.yaml"))
    endpoints = home / "endpoints.json"
    eventually_now(endpoints.exists, within=240, about="endpoints.json")
    places = json.loads(endpoints.read_text())
    family = family_of(demo)
    assert set(places) == KEYS
    assert len(family) >= 7
    ended(demo, family, sign)
    assert demo.returncode == (-sign if sign == signal.SIGKILL else 0), (tmp_path / "output").read_text()
    assert [place for place in places.values() if ":" in place and answers(port_of(place))] == []


def test_a_demo_that_is_interrupted_while_it_starts_leaves_nothing_running(
    start: Start, tmp_path: Path
) -> None:
    demo = start(python_module("sandbox.demo", "run", "--home", str(tmp_path / "demo")))

    def broker_and_sandbox() -> list[psutil.Process]:
        if demo.poll() is not None:
            raise RuntimeError(f"ended by itself:\n{(tmp_path / 'output').read_text()[-3000:]}")
        family = family_of(demo)
        assert len(family) >= 2, family
        return family

    ended(demo, eventually_now(broker_and_sandbox, within=60), signal.SIGINT)
    assert demo.returncode == 0, (tmp_path / "output").read_text()


def port_of(place: str) -> int:
    return urlsplit(place).port or int(place.rpartition(":")[2])


def test_temporary_folders_follow_the_environment() -> None:
    assert "TMPDIR" in PASSED_ON, "else the folders above are looked for in the wrong place"
