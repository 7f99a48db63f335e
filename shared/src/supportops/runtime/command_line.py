"""A command line that loads no more than is asked for, and says what becomes of output that cannot be written: its
reader has gone, the disk is full, stdout is closed.
"""

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

import typer
from typer.core import TyperGroup
from typer.main import get_group

from supportops.runtime.supervisor import FAILED, threads_left_to_themselves

_UNWRITABLE: Final = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO, errno.EFBIG)


class CommandLine(typer.Typer):
    """Ends with exit code 1 where its output cannot be written, in one line that begins with `name`.

    Where the reader has what it wanted and left (`| head`), nothing is said. `more` adds commands, once one that is not
    there is asked for, or all of them (`--help`): importing them takes longer than most of what a process does.
    """

    def __init__(self, name: str, more: Callable[[typer.Typer], None] | None = None, **options: Any) -> None:
        super().__init__(name=name, cls=_group_of(self), **options)
        self._name, self._more = name, more

    def complete(self) -> None:
        """Have all commands in it."""
        more, self._more = self._more, None
        if more is not None:
            more(self)

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


def _group_of(app: CommandLine) -> type[TyperGroup]:
    """What Typer makes of `app`."""

    class Group(TyperGroup):
        whole = False

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in self.commands:
                self._complete()
            return super().get_command(ctx, cmd_name)

        def list_commands(self, ctx: Any) -> list[str]:
            self._complete()
            return super().list_commands(ctx)

        def _complete(self) -> None:
            if not self.whole:
                app.complete()
                self.commands, self.whole = get_group(app).commands, True

    return Group


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
