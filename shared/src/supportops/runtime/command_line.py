"""What becomes of a command whose output cannot be written: its reader has gone, the disk is full, stdout is closed."""

import errno
import os
import sys
from typing import Any, Final, TextIO

import typer

from supportops.runtime.supervisor import FAILED, threads_left_to_themselves

_UNWRITABLE: Final = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO, errno.EFBIG)


class CommandLine(typer.Typer):
    """Ends with exit code 1 where its output cannot be written, in one line that begins with `name`.

    Where the reader has what it wanted and left (`| head`), nothing is said.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name=name, **options)
        self._name = name

    def __call__(self, *args: Any, **options: Any) -> Any:
        with threads_left_to_themselves():
            return self._called(*args, **options)

    def _called(self, *args: Any, **options: Any) -> Any:
        try:
            try:
                return super().__call__(*args, **options)
            finally:
                sys.stdout.flush()
        except OSError as error:
            if not is_output_failure(error):
                raise
            _discard_what_is_left()
            if error.errno != errno.EPIPE:
                typer.echo(f"{self._name}: the output cannot be written: {error.strerror}", err=True)
            raise SystemExit(FAILED) from None


def is_output_failure(error: BaseException) -> bool:
    """Whether this is what writing to stdout raises: an error of no file with a name, and of no address."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE


def ensure_stdout() -> None:
    """Give a process that was started with its stdout closed one that refuses what is written.

    Else the next file or connection would have its number, and whatever looks at it would fail.
    """
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: SIM115  # a number


def _discard_what_is_left() -> None:
    """The interpreter writes out its buffers at its end, and would complain once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
