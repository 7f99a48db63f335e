"""Programs of ours as forks of one process that has imported them (`fork_server.py`): one for the whole run.

That a service starts from nothing, by `python -m`, is what the support day and the demo show (tests/e2e).
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

from sandbox.demo import reaper
from sandbox.demo.processes import write_aside
from tests.support import infra
from tests.support.eventually import eventually_now
from tests.support.fork_server import NUMBER, Program
from tests.support.processes import ChildProcess, clean_environment, python_module


class ForkedProcess:
    """A program that runs; what tests ask of `subprocess.Popen`."""

    def __init__(self, program: Program, files: Sequence[int]) -> None:
        """Starts it; `files`: descriptors of its standard input, output and error."""
        self.returncode: int | None = None
        self._name = program.module
        self._server = socket.socket(socket.AF_UNIX)
        self._address = server_address()
        self._server.connect(self._address)
        request = json.dumps(asdict(program)).encode()
        socket.send_fds(self._server, [len(request).to_bytes(NUMBER)], files)
        self._server.sendall(request)
        self.pid = self._number()

    def _number(self) -> int:
        if not (said := self._server.recv(NUMBER, socket.MSG_WAITALL)):
            log = Path(self._address).with_name("log")
            raise ChildProcessError(
                f"the server of forks is gone, in its own words:\n{log.read_text()[-3000:]}"
            )
        return int.from_bytes(said, signed=True)

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises TimeoutExpired."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired([self._name], timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                self.returncode = self._number()
            except (BlockingIOError, TimeoutError):
                return None
            self._server.close()
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Nothing is sent to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkedChild(ChildProcess):
    """`ChildProcess` for a command line of `python_module`."""

    def _spawn(self, out: IO[bytes]) -> ForkedProcess:
        assert self.command[:2] == [sys.executable, "-m"]
        _, _, module, *arguments = self.command
        with Path(os.devnull).open() as nothing:
            return start(module, arguments, self.environment, (nothing.fileno(), out.fileno(), out.fileno()))


def start(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[int]
) -> ForkedProcess:
    """`python -m MODULE ARGUMENTS` in this folder, with this environment and nothing of ours."""
    program = Program(module, tuple(arguments), clean_environment(environment), str(Path.cwd()))
    return ForkedProcess(program, files)


def server_address() -> str:
    """The run's server of forks, started when nobody did."""
    with infra.State.current().locked("forks") as record:
        if not record.exists():
            home = reaper.temporary_folder("supportops-forks-")
            address = home / "socket"
            child = ChildProcess(
                python_module("tests.support.fork_server", str(address)),
                log=home / "log",
                environment={reaper.REGISTER: str(reaper.begin())},
            )
            child.start_only()
            eventually_now(lambda: child.running and address.exists(), within=30, about=child.tail())
            how = {"pid": child.let_go(), "home": str(home), "address": str(address)}
            write_aside(record, json.dumps(how))
        return str(json.loads(record.read_text())["address"])
