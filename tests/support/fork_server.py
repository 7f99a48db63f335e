"""Where the programs of a test run are forked from: a process that has imported what they need.

    python -m tests.support.fork_server SOCKET

Importing a service takes a second or two of processor time, and most programs a tenth of that for their work. A client
(`forks.py`) sends what to run and three descriptors, the program's standard files; the answers are its process id and,
when it has ended, its exit code. What a program needs is imported when somebody asks for it first: who wants the
sandbox does not wait for the services.

From the fork on the program is a process like any other: a session, an environment and arguments of its own, threads
that are waited for, and the interpreter's own end. It is in the run's register before it runs (`sandbox.demo.reaper`).
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sandbox.demo import reaper

NUMBER = 8
"""Bytes of a number on the wire, the highest first: the length of a request, a process id, an exit code."""

SHARED = (
    *("alembic.command", "alembic.context", "aiosqlite", "asyncpg", "uvloop"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite"),
    *("supportops.operations.commands", "supportops.web.app", "supportops.web.auth.commands"),
)
NEEDS = {
    "sandbox": ("sandbox.__main__", "sandbox.server", "httpx"),
    "ingest": ("ingest.__main__", "ingest.commands", *SHARED),
    "csat": ("csat.__main__", "csat.commands", "csat.web", *SHARED),
    "notifier": ("notifier.__main__", "notifier.commands", "notifier.web", *SHARED),
    "sfdc_sync": (
        "sfdc_sync.__main__",
        "sfdc_sync.commands",
        "sfdc_sync.processes",
        "sfdc_sync.web",
        *SHARED,
    ),
}
"""What is imported for a program; what is missing here costs time and nothing else."""


@dataclass(frozen=True)
class Program:
    """What to run: `python -m module arguments`, with nothing of ours in its environment."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str

    def needs(self) -> Sequence[str]:
        """The modules to be imported before the fork."""
        return (self.module,) if self.module.startswith("tests.") else NEEDS.get(self.module, SHARED)

    def take_over(self, files: Sequence[int]) -> None:
        """In the fork: become a process of its own."""
        os.setsid()
        reaper.announce(os.getpid())
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        os.chdir(self.folder)
        if places := self.environment.get("PYTHONPATH"):
            sys.path[:0] = places.split(os.pathsep)
        sys.argv = [self.module, *self.arguments]
        gc.enable()

    def run(self) -> None:
        """As the interpreter would; a command line that is imported already is not built once more."""
        imported = sys.modules.get(f"{self.module}.__main__")
        if imported is None:
            sys.modules.pop(self.module, None)
            runpy.run_module(self.module, run_name="__main__", alter_sys=True)
        else:
            imported.app(prog_name=f"python -m {self.module}")


class ForkServer:
    """Takes requests, one a connection, and tells how the programs have ended."""

    def __init__(self, path: Path) -> None:
        self._running: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        unready = path.with_suffix(".unready")
        self._listener.bind(str(unready))
        self._listener.listen(128)
        unready.rename(path)  # who finds it can connect
        self._ended, self._waking = os.pipe()
        for end in (self._ended, self._waking):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def next_program(self) -> Program:
        """Serve for ever; returns in a fork alone, with what that is to run."""
        with selectors.DefaultSelector() as selector:
            for file in (self._listener, self._ended):
                selector.register(file, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is not self._listener:
                        os.read(self._ended, 4096)
                        self._tell()
                    elif (program := self._fork(self._listener.accept()[0])) is not None:
                        return program

    def _fork(self, client: socket.socket) -> Program | None:
        program, files = received(client)
        for name in program.needs():
            import_module(name)
        gc.freeze()  # what nobody collects stays shared between the forks
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for held in (client, self._listener, *self._running.values()):
                held.close()
            for end in (self._ended, self._waking):
                os.close(end)
            program.take_over(files)
            return program
        for file in files:
            os.close(file)
        self._running[pid] = client
        answer(client, pid)
        return None

    def _tell(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._running.pop(pid) as client:
                answer(client, os.waitstatus_to_exitcode(status))


def received(client: socket.socket) -> tuple[Program, list[int]]:
    """A request and its files."""
    head, files, _, _ = socket.recv_fds(client, NUMBER, 3)
    body: dict[str, Any] = json.loads(client.recv(int.from_bytes(head), socket.MSG_WAITALL))
    program = Program(body["module"], tuple(body["arguments"]), body["environment"], body["folder"])
    return program, list(files)


def answer(client: socket.socket, number: int) -> None:
    """Who asked may be gone: then nobody wants to know."""
    with suppress(ConnectionError):
        client.sendall(number.to_bytes(NUMBER, signed=True))


def main() -> None:
    """Serve; in a fork, run."""
    gc.disable()  # while there is nothing but what was imported
    ForkServer(Path(sys.argv[1])).next_program().run()


if __name__ == "__main__":
    main()
