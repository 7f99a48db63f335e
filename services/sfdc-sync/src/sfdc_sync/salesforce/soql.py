"""Queries with lists of values, each short enough for an address (docs/vendors/salesforce.md#queries). Pure.

Names of objects and fields come from rules that only take API names; values are quoted by the library.
"""

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from simple_salesforce.format import format_soql

type Form = Callable[[str], str]
MOST_BYTES = 12_000
"""Of one query, percent-encoded: an address may have 16,384, and there is more in it than the query."""


def in_lists(query: str, values: Iterable[str], form: Form | None = None) -> Iterator[str]:
    """`query` for all of `values`, in as few queries as fit; `query` ends where the list belongs.

    `form`: a value as SOQL, text where nothing else is said.
    """
    written = form or literal
    room = MOST_BYTES - len(quote(query))
    some: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        cost = len(quote(written(value))) + len("%2C")
        if some and used + cost > room:
            yield f"{query} ({','.join(map(written, some))})"
            some, used = [], 0
        some.append(value)
        used += cost
    if some:
        yield f"{query} ({','.join(map(written, some))})"


def literal(value: str) -> str:
    """`value` as SOQL text, quoted and escaped."""
    return str(format_soql("{}", value))


def digits(value: str) -> str:
    """`value` as SOQL number: a field of numbers takes no text. A ValueError when it is no whole number."""
    if not (value.isascii() and value.isdigit()):
        raise ValueError("not a whole number")
    return value
