"""Commands whose output cannot be written: one line that says so, exit code 1, and nothing about anything else."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

import pytest

from supportops.runtime.command_line import CommandLine, ensure_stdout, is_output_failure


def a_full_disk() -> TextIO:
    return open("/dev/full", "w", encoding="utf-8")


def a_pipe_without_a_reader() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", encoding="utf-8")


def one_that_was_never_open() -> None:
    return None


CASES = [
    (a_full_disk, "x: the output cannot be written: No space left on device\n"),
    (one_that_was_never_open, "x: the output cannot be written: Bad file descriptor\n"),
    (a_pipe_without_a_reader, ""),
]


@pytest.mark.parametrize(("stdout", "said"), CASES)
@pytest.mark.parametrize(
    "size", [1, 100_000]
)  # one that is only written out at the end, one that is more than a buffer
def test_one_line_and_exit_code_1(
    stdout: Callable[[], TextIO | None],
    said: str,
    size: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = CommandLine("x")

    @app.command()
    def talk() -> None:
        sys.stdout.write("." * size)

    monkeypatch.setattr(sys, "stdout", stdout())
    ensure_stdout()
    with pytest.raises(SystemExit) as ended:
        app([])
    sys.stdout.close()  # as the interpreter does at its end
    assert ended.value.code == 1
    assert capsys.readouterr().err == said


def test_another_error_is_not_the_outputs() -> None:
    app = CommandLine("x")

    @app.command()
    def fail() -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(ConnectionRefusedError):
        app([])
    assert not is_output_failure(FileNotFoundError(2, "No such file", "rules.yaml"))
    assert not is_output_failure(OSError(28, "No space left on device", "/spool/1"))
