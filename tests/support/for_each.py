"""Tables of cases for plain functions: one test tries every row and names those that failed.

`pytest.mark.parametrize` makes a test of each row, which costs every worker of pytest-xdist its collection and some
milliseconds more, a hundred times what a row of a pure function takes. It stays where rows need fixtures of their own.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import pytest

LONGEST = 300
"""Characters of a row that are shown of it."""
MOST = 5
"""Rows that are shown in full; the others are counted."""

type Row = dict[str, Any]
FAILURES = (Exception, pytest.fail.Exception)


def for_each(names: str, rows: Iterable[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call the function once for each of `rows`, as `pytest.mark.parametrize(names, rows)` would.

    `names` are separated by commas; a row is as long a sequence, or with one name the value itself. What fails is
    raised at the end, one error or a group of them, each with a note of its row. Two tables may be stacked.
    """
    split = [name.strip() for name in names.split(",")]
    table = [dict(zip(split, row if len(split) > 1 else [row], strict=True)) for row in rows]
    if not table:
        raise ValueError(f"no rows for {names}: nothing would be tested")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        tried = (
            _tried_async(function, table)
            if inspect.iscoroutinefunction(function)
            else _tried(function, table)
        )
        signature = inspect.signature(function)
        others = [each for name, each in signature.parameters.items() if name not in split]
        tried.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # pytest reads it
        return tried

    return decorate


def _tried(function: Callable[..., Any], table: list[Row]) -> Callable[..., Any]:
    @wraps(function)
    def every_row(**others: Any) -> None:
        failed = []
        for row in table:
            try:
                function(**others, **row)
            except FAILURES as error:
                failed.append(_noted(error, row))
        _tell(failed, len(table))

    return every_row


def _tried_async(function: Callable[..., Any], table: list[Row]) -> Callable[..., Any]:
    @wraps(function)
    async def every_row(**others: Any) -> None:
        failed = []
        for row in table:
            try:
                await function(**others, **row)
            except FAILURES as error:
                failed.append(_noted(error, row))
        _tell(failed, len(table))

    return every_row


def _noted[E: BaseException](error: E, row: Row) -> E:
    for name, value in row.items():
        shown = repr(value)
        error.add_note(f"{name} = {shown if len(shown) <= LONGEST else shown[:LONGEST] + ' ...'}")
    return error


def _tell(failed: Sequence[BaseException], tried: int) -> None:
    if len(failed) == 1:
        raise failed[0]
    if failed:
        shown = f", the first {MOST}" if len(failed) > MOST else ""
        raise BaseExceptionGroup(f"{len(failed)} of {tried} rows failed{shown}", failed[:MOST])
