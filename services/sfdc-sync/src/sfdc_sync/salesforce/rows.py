"""Rows of a query, by the names that rules write: Salesforce answers in its own spelling, whatever was asked. Pure.

`SELECT support_level__c` is answered with `Support_Level__c`. A name that is compared letter by letter would not be
found there, and look like an empty field.
"""

from collections.abc import Mapping
from typing import Any, Final

type Row = Mapping[str, Any]
"""A record as a query answers it: parents are objects, or null."""

ABSENT: Final = object()
"""Stands for what an answer does not have at all, not even empty."""


def found_at(row: Row, path: str) -> Any:
    """The value at `Owner.Name`: None where it or a parent is empty, ABSENT where the answer does not have it."""
    here: Any = row
    for step in path.split("."):
        if here is None:
            return None
        here = _of(here, step) if isinstance(here, Mapping) else ABSENT
        if here is ABSENT:
            return ABSENT
    return here


def value_at(row: Row, path: str) -> Any:
    """The value at `Owner.Name`; None where it is empty, or not there."""
    found = found_at(row, path)
    return None if found is ABSENT else found


def _of(row: Row, name: str) -> Any:
    if name in row:
        return row[name]
    folded = name.lower()
    return next((value for key, value in row.items() if key.lower() == folded), ABSENT)
