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

from sandbox.clients import tls
from sandbox.demo import reaper
from sandbox.demo.patience import STILL, Patience, processor_time

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


def write_aside(path: Path, text: str) -> None:
    """Write a file that other processes read: they find all of it, or nothing, or what it was before."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


class Processes:
    """The running children, as a context: leaving it ends them all, the last started first.

    `still`: seconds after which a child that does nothing is not waited for any longer.
    """

    def __init__(self, logs: Path, *, still: float = STILL) -> None:
        self.logs = logs
        self._still = still
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._commands: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a child in a session of its own: Ctrl-C reaches us first, and we end it in order."""
        self._running.append((name, self._spawn(name, command, environment)))

    def _spawn(
        self, name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        with (self.logs / f"{name}.log").open("wb") as out, reaper.guarded(command) as (guarded, register):
            return subprocess.Popen(  # nosec B603 # our own services
                guarded,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=register,
                env=environment_with(environment),
                start_new_session=True,
            )

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command to its end. Raises DemoError with the end of its output when it fails or stands still."""
        child = self._spawn(name, command, environment)
        self._commands.append((name, child))
        self._wait(name, child, lambda: child.poll() is not None)
        if child.returncode != 0:
            raise DemoError(f"{name} failed with {child.returncode}:\n{self.tail(name)}")

    def wait_for_port(self, name: str, port: int) -> None:
        """Wait until the child accepts connections."""
        self._wait(name, dict(self._running)[name], lambda: listens(port))

    def wait_for_url(self, name: str, url: str) -> None:
        """Wait until the child answers 200 there."""

        def ready() -> bool:
            with suppress(httpx.HTTPError):
                return httpx.get(url, timeout=2, verify=tls()).status_code == 200
            return False

        self._wait(name, dict(self._running)[name], ready)

    def _wait(self, name: str, child: "subprocess.Popen[bytes]", ready: Callable[[], bool]) -> None:
        """Wait as long as the child does something: its log grows, or it uses the processor."""
        log = self.logs / f"{name}.log"
        patience = Patience(lambda: (log.stat().st_size, processor_time(child.pid)), still=self._still)
        while not ready():
            self.check()
            if patience.over():
                raise DemoError(f"{name} gets nowhere, given up after {patience.waited:.0f} s; see {log}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raises DemoError when a child that was to stay has ended by itself."""
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
        for name, child in (*reversed(self._commands), *reversed(self._running)):
            _signal(child, signal.SIGTERM)
            try:
                child.wait(timeout=GRACE)
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.wait()
                killed.append(name)
        self._running.clear()
        self._commands.clear()
        return killed


def _signal(child: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, sign)


def environment_with(extra: Mapping[str, str]) -> dict[str, str]:
    """What a child has of our environment, and what is its own."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict(extra)
