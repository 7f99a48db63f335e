"""The demo waits for progress, and gives up in one line."""

import sys
from pathlib import Path

import pytest

from sandbox.demo.patience import AT_ALL, Patience
from sandbox.demo.processes import DemoError, Processes


class Wait:
    """A clock and something that moves, both by hand."""

    def __init__(self) -> None:
        self.seconds, self.progress = 0.0, 0
        self.patience = Patience(lambda: self.progress, still=60, now=lambda: self.seconds)


def test_whoever_moves_is_waited_for() -> None:
    wait = Wait()
    for _ in range(9):
        wait.seconds += 59
        wait.progress += 1
        assert not wait.patience.over()
    assert wait.patience.waited == 9 * 59
    wait.seconds += 61
    assert wait.patience.over()


def test_progress_that_leads_nowhere_ends_too() -> None:
    wait = Wait()
    while wait.seconds < AT_ALL:
        assert not wait.patience.over()
        wait.seconds += 50
        wait.progress += 1
    wait.seconds = AT_ALL + 1
    wait.progress += 1
    assert wait.patience.over()


def test_a_command_that_stands_still_is_given_up_in_one_line(tmp_path: Path) -> None:
    with Processes(tmp_path, still=0.3) as processes, pytest.raises(DemoError) as given_up:
        processes.run("migrate", [sys.executable, "-c", "import signal; signal.pause()"], {})
    assert str(given_up.value).startswith("migrate gets nowhere, given up after ")
    assert "\n" not in str(given_up.value)


def test_a_command_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes, pytest.raises(DemoError, match="with 3:\nno such table"):
        processes.run("migrate", ["/bin/sh", "-c", "echo no such table; exit 3"], {})
