"""Lengths of time as people write them: `24h`, `90s`, `2d`, `500ms`, `1h30m`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

ALLOWED = 'a number with a unit, such as "500ms", "90s", "15m", "24h", "2d" or "1h30m"'

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(value: object) -> timedelta:
    """The length that `value` names; a timedelta passes as it is. ValueError names what is allowed.

    A bare number is refused: nobody can see whether it means seconds or hours.
    """
    if isinstance(value, timedelta):
        length = value
    elif isinstance(value, str) and _WHOLE.fullmatch(text := value.strip().lower()):
        parts = (_UNITS[unit] * float(number) for number, unit in _PART.findall(text))
        length = sum(parts, timedelta())
    else:
        raise ValueError(f"must be {ALLOWED}")
    if length < timedelta():
        raise ValueError("must not be negative")
    return length


def format_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `length`."""
    left = length
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
"""A timedelta field that is written as text in the environment and in YAML."""
