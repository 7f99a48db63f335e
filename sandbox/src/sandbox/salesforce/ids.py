"""Record ids of 15 and 18 characters (docs/vendors/salesforce.md#record-ids)."""

import itertools
import re

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?")


def to18(id15: str) -> str:
    """Each block of five gives one letter: bit i is set when character i is A-Z."""
    blocks = (id15[0:5], id15[5:10], id15[10:15])
    return id15 + "".join(_SUFFIX[sum(1 << i for i, c in enumerate(b) if "A" <= c <= "Z")] for b in blocks)


def normal(value: str) -> str | None:
    """The 18-character form of a well-formed id, else None."""
    if not _SHAPE.fullmatch(value):
        return None
    full = to18(value[:15])
    return full if len(value) == 15 or value == full else None


class IdMaker:
    """Rising ids per key prefix; the counters go on after a reset."""

    def __init__(self) -> None:
        self._next: dict[str, itertools.count[int]] = {}

    def next(self, prefix: str) -> str:
        number = next(self._next.setdefault(prefix, itertools.count(1)))
        text = ""
        while number:
            number, digit = divmod(number, 62)
            text = _DIGITS[digit] + text
        return to18(f"{prefix}5f{text:0>10}")
