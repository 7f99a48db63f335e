"""Our commands as processes of their own, forked from one that has imported the services already (`forks.py`).

That a service starts from nothing, by `python -m`, is what the end-to-end tests show.
"""

import multiprocessing
import subprocess
from collections.abc import Callable, Mapping
from tempfile import TemporaryFile

from tests.support import forks
from tests.support.eventually import patience


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
    with TemporaryFile("w+") as asked, TemporaryFile("w+") as out, TemporaryFile("w+") as error:
        asked.write(answer)
        asked.seek(0)
        files = (asked.fileno(), out.fileno(), error.fileno())
        process = forks.start(package, arguments, environment, files)
        try:
            code = process.wait(patience(within))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        for said in (out, error):
            said.seek(0)
        return subprocess.CompletedProcess([package, *arguments], code, out.read(), error.read())


def run_fork(target: Callable[..., object], *arguments: object, within: float) -> int:
    """Run a function of a module in a process of its own; its exit code, 1 for an exception.

    Raises subprocess.TimeoutExpired past `within` seconds; the process is killed then, whatever its threads do.
    """
    child = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    child.start()
    child.join(patience(within))
    if child.exitcode is None:
        child.kill()
        child.join()
        raise subprocess.TimeoutExpired([target.__name__], within)
    return child.exitcode
