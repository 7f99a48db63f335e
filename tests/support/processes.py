"""Real child processes for tests: started with a log file, waited for, killed, and never left behind (the reaper)."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import httpx

from sandbox.clients import tls
from sandbox.demo import reaper
from tests.support.eventually import eventually_now, patience

PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "COVERAGE_PROCESS_START",
)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts TCP connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """What a child gets: the few variables every program needs, test mode, and `extra`. Nothing else leaks in."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"SUPPORTOPS_MODE": "test"} | dict(extra)


class Process(Protocol):
    """What tests ask of a process that they have started; as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class ChildProcess:
    """One program, started as often as the test wants; its output is appended to `log`.

    `ready_url` is asked until it answers 200; without one `start` returns at once.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        ready_url: str = "",
        user: str | None = None,
    ) -> None:
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self.ready_url = ready_url
        self.user = user
        self.process: Process | None = None

    @property
    def pid(self) -> int:
        """Process id of the running child."""
        assert self.process is not None, f"{self.command[0]} was not started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def start(self, *, within: float = 30.0) -> None:
        """Start it and wait until it is ready."""
        self.start_only()
        if self.ready_url:
            self.wait_ready(within=within)

    def start_only(self) -> None:
        """Start it in its own session (Ctrl-C in the terminal does not reach it) and return at once."""
        assert not self.running, f"{self.command} runs already"
        with self.log.open("ab") as out:
            self.process = self._spawn(out)

    def _spawn(self, out: IO[bytes]) -> Process:
        with reaper.guarded(self.command) as (command, register):
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=register,
                env=clean_environment(self.environment),
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )

    def wait_ready(self, *, within: float = 30.0) -> None:
        """Wait for 200 from `ready_url`; a child that ends meanwhile fails with the end of its log."""

        def ready() -> bool:
            if not self.running:
                raise RuntimeError(f"{self.command} ended with {self.returncode}:\n{self.tail()}")
            try:
                return httpx.get(self.ready_url, timeout=patience(2), verify=tls()).status_code == 200
            except httpx.HTTPError:
                return False

        eventually_now(ready, within=within, every=0.05, about=f"{self.ready_url} of {self.command}")

    @property
    def returncode(self) -> int | None:
        """Exit code; None while it runs or before it was started."""
        return None if self.process is None else self.process.poll()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like."""
        self.end(signal.SIGKILL, within=10)

    def stop(self, *, within: float = 30.0) -> int:
        """SIGTERM, then wait; killed when it does not end in time. Returns the exit code."""
        return self.end(signal.SIGTERM, within=within)

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting (that is `ended`): several that stop at once take no longer than the slowest."""
        if self.running and self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def end(self, sign: signal.Signals, *, within: float) -> int:
        """Send a signal and wait; past `within` seconds it is killed and TimeoutExpired raised."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.ended(within=within)

    def ended(self, *, within: float) -> int:
        """Wait for its end, and nothing else: a second signal would have it end at once. The exit code."""
        if self.process is None:
            return 0
        try:
            return self.process.wait(timeout=patience(within))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)
            raise

    def let_go(self) -> int:
        """Leave it running for others to end; returns its process id. This object is of no use afterwards."""
        pid = self.pid
        assert self.process is not None
        self.process.returncode = 0  # else Popen complains of a child that nobody waited for
        return pid

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log, for messages."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line that runs one of our packages with this interpreter."""
    return [sys.executable, "-m", module, *arguments]
