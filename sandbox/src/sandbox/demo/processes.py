"""Child processes of the demo: one log file each, ended in reverse order, none left behind."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
GRACE = 15.0


class DemoError(Exception):
    """The demo cannot go on; the message is for the person in front of it."""


def free_port() -> int:
    """A free TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    """The running children, as a context: leaving it ends them all, the last started first."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a child in a session of its own: Ctrl-C reaches us first, and we end it in order."""
        with (self.logs / f"{name}.log").open("wb") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_environment(environment),
                start_new_session=True,
            )
        self._running.append((name, child))

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command to its end. Raises DemoError with the end of its output when it fails."""
        done = subprocess.run(
            command, env=_environment(environment), capture_output=True, text=True, check=False, timeout=120
        )
        (self.logs / f"{name}.log").write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise DemoError(f"{name} failed with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")

    def wait_for_port(self, name: str, port: int, *, within: float = 20.0) -> None:
        """Wait until the child accepts connections."""
        self._wait(name, lambda: listens(port), within)

    def wait_for_url(self, name: str, url: str, *, within: float = 40.0) -> None:
        """Wait until the child answers 200 there."""

        def ready() -> bool:
            with suppress(httpx.HTTPError):
                return httpx.get(url, timeout=2).status_code == 200
            return False

        self._wait(name, ready, within)

    def _wait(self, name: str, ready: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{name} was not ready after {within:g} s:\n{self.tail(name)}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raises DemoError when a child has ended by itself."""
        for name, child in self._running:
            if child.poll() is not None:
                raise DemoError(f"{name} ended with {child.returncode}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 25) -> str:
        """The end of a child's log."""
        text = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def end(self) -> list[str]:
        """SIGTERM to all, the last started first; SIGKILL past the grace time. Returns who had to be killed."""
        killed = []
        for name, child in reversed(self._running):
            _signal(child, signal.SIGTERM)
            try:
                child.wait(timeout=GRACE)
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.wait()
                killed.append(name)
        self._running.clear()
        return killed


def _signal(child: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, sign)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict(extra)
