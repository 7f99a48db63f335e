"""Ends what a run has started once its first process is gone, however it went: at its end, by SIGTERM, by SIGKILL.

The first process that asks for it starts one reaper, in a session of its own. The reaper reads a pipe whose other
end the first process alone holds: end of file means that it is dead. Each child writes its process id into the run's
register before it becomes its program (a shell that `exec`s), so that none ever runs unknown to the register; the
register's path is inherited, so that workers and grandchildren write into the same one. Then the reaper kills what
still lives, with descendants and process groups, removes the folders and runs the commands that it was told of.

No signal to parents' deaths (Linux) and no process groups alone: those end with the thread that started a child,
and do not reach servers that lead sessions. This file runs by itself, on POSIX and the standard library.
"""

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

REGISTER = "SUPPORTOPS_REAPER"
LOOK = 1.0  # seconds between two looks at who has ended meanwhile
QUIET_ROUNDS, ROUNDS, PAUSE = 3, 100, 0.1

type Errors = Literal["2>&1", "2>/dev/null"]

_starting = threading.Lock()


def begin() -> Path:
    """The run's register; the first process of a run starts its reaper with it."""
    with _starting:
        if REGISTER not in os.environ:
            os.environ[REGISTER] = str(_start())
    return Path(os.environ[REGISTER])


def _start() -> Path:
    register = Path(tempfile.mkdtemp(prefix="supportops-run-")) / "register"
    register.touch()
    reading, _kept_open_as_long_as_we_live = os.pipe()
    reaper = subprocess.Popen(  # nosec B603 # this file itself
        [sys.executable, "-I", "-S", __file__, str(register)],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reading)
    reaper.returncode = 0  # it outlives us on purpose: nobody waits for it
    return register


@contextmanager
def guarded(command: Sequence[str], errors: Errors = "2>&1") -> Iterator[tuple[list[str], IO[bytes]]]:
    """The command line that announces itself first, and the file to hand to it as `stderr`.

    `errors`: where the program's own standard error goes. Its process id is that of the shell before it.
    """
    announce = f'echo "process $$" >&2 && exec "$@" {errors}'
    with begin().open("ab") as register:
        yield ["/bin/sh", "-c", announce, "sh", *command], register


def announce(pid: int) -> None:
    """A process that was started otherwise ends with the run as well."""
    _write("process", str(pid))


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float | None = None,
    user: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, which comes at the latest with that of the run: else it would go on writing.

    Its output and its errors are together in `stdout`. Raises TimeoutExpired after `seconds`.
    """
    with guarded(command) as (announced, register):
        return subprocess.run(  # nosec B603 # what a run starts
            announced,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=register,
            text=True,
            check=False,
            env=environment,
            cwd=folder,
            timeout=seconds,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )


def temporary_folder(prefix: str) -> Path:
    """A new folder that goes at the end of the run: it is announced before it is made."""
    folder = Path(tempfile.gettempdir()) / (prefix + secrets.token_hex(8))
    remove_folder(folder)
    folder.mkdir(mode=0o700)
    return folder


def remove_folder(folder: Path) -> None:
    """The folder goes at the end of the run, unless it is gone by then."""
    _write("folder", json.dumps(str(folder.resolve())))


def run_at_end(command: Sequence[str]) -> None:
    """The command runs at the end of the run; it must be fine with having nothing to do."""
    _write("command", json.dumps(list(command)))


def _write(kind: str, what: str) -> None:
    with begin().open("a") as register:
        register.write(f"{kind} {what}\n")


# --- the reaper's own process ----------------------------------------------------------------------------------------


class Register:
    """What the register says so far: process ids that may still live, folders, commands."""

    def __init__(self, lines: IO[bytes]) -> None:
        self.pids: dict[int, None] = {}
        self.folders: list[str] = []
        self.commands: list[list[str]] = []
        self._lines = lines
        self._rest = b""

    def read(self) -> None:
        """Take in the lines that came since."""
        *lines, self._rest = (self._rest + self._lines.read()).split(b"\n")
        for line in lines:
            kind, _, what = line.decode().partition(" ")
            if kind == "process":
                self.pids[int(what)] = None
            elif kind == "folder":
                self.folders.append(json.loads(what))
            else:
                self.commands.append(json.loads(what))

    def drop_ended(self) -> None:
        """Forget who is gone with its whole group, before the kernel gives its number to somebody else."""
        for pid in [pid for pid in self.pids if not _exists(pid)]:
            del self.pids[pid]


def _exists(pid: int) -> bool:
    for look in (os.killpg, os.kill):
        try:
            look(pid, 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            return True
        return True
    return False


def _processes() -> dict[int, tuple[int, int]]:
    """Parent and process group of every process that lives, by its id. Zombies do not."""
    if Path("/proc/self/stat").exists():
        rows = (_row(path) for path in Path("/proc").glob("[0-9]*/stat"))
    else:
        shown = subprocess.run(  # nosec B603 # constant arguments
            ["/bin/ps", "-A", "-o", "pid=,stat=,ppid=,pgid="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split() for line in shown.splitlines())
    return {
        int(row[0]): (int(row[2]), int(row[3]))
        for row in rows
        if len(row) >= 4 and not row[1].startswith("Z")
    }


def _row(stat: Path) -> list[str]:
    """Id, state, parent and group from /proc/<id>/stat: the second field may hold spaces and brackets."""
    with suppress(OSError):
        text = stat.read_text(errors="replace")
        return [text.split(" ", 1)[0], *text.rpartition(")")[2].split()[:3]]
    return []


def _alive(roots: Sequence[int]) -> set[int]:
    """The roots that live, who is in their groups, and everybody below them."""
    processes = _processes()
    found = {pid for pid, (_, group) in processes.items() if pid in roots or group in roots}
    while below := {pid for pid, (parent, _) in processes.items() if parent in found} - found:
        found |= below
    return found - {os.getpid()}


def reap(register: Register) -> None:
    """Kill until nobody has been left for a few rounds: a child may be on its way into the register."""
    quiet = 0
    for _ in range(ROUNDS):
        register.read()
        alive = _alive(list(register.pids))
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        quiet = 0 if alive else quiet + 1
        if quiet == QUIET_ROUNDS:
            break
        time.sleep(PAUSE)
    for command in register.commands:
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=60)  # nosec B603 # what this run registered itself
    for folder in register.folders:
        shutil.rmtree(folder, ignore_errors=True)


def main(path: Path) -> None:
    """Watch until standard input ends, then reap."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    with path.open("rb") as lines:
        register = Register(lines)
        while not select.select([sys.stdin.fileno()], [], [], LOOK)[0]:
            register.read()
            register.drop_ended()
        reap(register)
    shutil.rmtree(path.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
