"""What commands print: a JSON document with `--json`, a table for people, plain text when nobody watches."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

type Row = Mapping[str, object]

type Report = Callable[[float | None, str], None]
"""Tells how far a work has come: the share from 0 to 1 (None: nobody knows), and a few words."""


def emit(data: Row | Sequence[Row], *, as_json: bool, title: str = "") -> None:
    """Print one record or a list of records to stdout, in the form that was asked for."""
    if as_json:
        sys.stdout.write(orjson.dumps(data, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif isinstance(data, Mapping):
        show_table([{"field": key, "value": value} for key, value in data.items()], title=title)
    else:
        show_table(data, title=title)


def show_table(rows: Sequence[Row], *, title: str = "") -> None:
    """A table on a terminal; elsewhere lines of tab-separated values under one line of names."""
    if not rows:
        sys.stdout.write("nothing to show\n")
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells, title)
        return
    for line in (columns, *cells):
        sys.stdout.write("\t".join(line) + "\n")


def _cell(value: object) -> str:
    """One value on one line; control characters are shown, not obeyed (the text may be a stranger's)."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    table = Table(*columns, title=title or None, box=box.SIMPLE)
    for line in cells:
        table.add_row(*(Text(text) for text in line))
    Console().print(table)


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """How far a long work has come, on stderr: a bar on a terminal, elsewhere one line per report."""
    if not sys.stderr.isatty():
        yield lambda share, words: _progress_line(title, share, words)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, words="")

        def report(share: float | None, words: str) -> None:
            bar.update(task, total=None if share is None else 1.0, completed=share or 0.0, words=_cell(words))

        yield report


def _progress_line(title: str, share: float | None, words: str) -> None:
    how_far = "" if share is None else f" {share:.0%}"
    sys.stderr.write(f"{title}:{how_far} {_cell(words)}\n")
    sys.stderr.flush()
