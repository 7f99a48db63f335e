"""Our commands as processes of their own, forked from one that has imported the services already.

Importing a service takes a second or two of processor time, and most commands a tenth of that. That a service starts
from nothing, by `python -m`, is what the end-to-end tests show.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.eventually import patience
from tests.support.processes import clean_environment

SERVICES = ("csat", "ingest", "notifier", "sfdc_sync")
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([f"{service}.__main__" for service in SERVICES])


def run_command(
    package: str,
    *arguments: str,
    environment: Mapping[str, str],
    answer: str = "",
    within: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """`python -m PACKAGE ARGUMENTS` with this environment and nothing of ours; `answer` is what it reads as input.

    Raises subprocess.TimeoutExpired past `within` seconds; the process is killed then.
    """
    with TemporaryDirectory(prefix="command-") as name:
        folder = Path(name)
        (folder / "0").write_text(answer)
        code = run_fork(_become, package, arguments, clean_environment(environment), name, within=within)
        out, error = ((folder / number).read_text() for number in ("1", "2"))
        return subprocess.CompletedProcess([package, *arguments], code, out, error)


def run_fork(target: Callable[..., object], *arguments: object, within: float) -> int:
    """Run a function of a module in a process of its own; its exit code, 1 for an exception.

    Raises subprocess.TimeoutExpired past `within` seconds; the process is killed then, whatever its threads do.
    """
    child = _forks.Process(target=target, args=arguments)
    child.start()
    child.join(patience(within))
    if child.exitcode is None:
        child.kill()
        child.join()
        raise subprocess.TimeoutExpired([target.__name__], within)
    return child.exitcode


def _become(package: str, arguments: tuple[str, ...], environment: dict[str, str], folder: str) -> None:
    """In the fork: take over its standard files, environment and arguments, then run the command line."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_CREAT), (2, os.O_WRONLY | os.O_CREAT)):
        opened = os.open(f"{folder}/{number}", flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115  # ours to the end
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [package, *arguments]
    import_module(f"{package}.__main__").app(prog_name=f"python -m {package}")
