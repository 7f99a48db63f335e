"""Lines for people who open them in a spreadsheet, whoever wrote the text in them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(
    r"""(^|[;\t\r\n])         # where a cell begins for some reader; commas are quoted
        ([\s"']*)             # what readers skip
        (?=[=+\-@\uff1d\uff0b\uff0d\uff20])""",
    re.VERBOSE,
)
_LINE_STARTS = ("\t", "\r", "\n")
_BOM = "\ufeff"


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool = False) -> str:
    """Lines as RFC 4180 wants them. What a spreadsheet would run as a formula gets an apostrophe before it, within a
    text too: a reader that expects semicolons begins a new cell behind each of them, and a line behind each break.

    `bom`: begin with the mark by which spreadsheets know UTF-8; wanted in files, not in pipes.
    """
    return (_BOM if bom else "") + csv_lines([header]) + csv_lines(rows)


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """The same without a header, for lines that follow others."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    """Numbers are ours and stay numbers; text is somebody's."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = _FORMULA.sub(r"\1\2'", value.replace("\x00", ""))
    return "'" + text if text.startswith(_LINE_STARTS) else text
