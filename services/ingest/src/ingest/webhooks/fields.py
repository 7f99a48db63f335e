"""One tolerant reader per kind of value that Zendesk sends (docs/vendors/zendesk.md#event-bodies). Pure.

Each takes what came out of the JSON (cleaned once by `body.load`) and gives our form of it. They run twenty times for
each webhook, so the usual case comes first in each.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

MAX_ID = 10**32
LONGEST_PLAIN_ID = 33
EARLIEST_YEAR = 2005
AHEAD = timedelta(days=1)  # more than a wrong clock or zone explains
_DIGITS = re.compile(r"[0-9]{1,32}", re.ASCII)
_ID = re.compile(r"[!-~]{1,200}", re.ASCII)  # leaves room for our suffixes in a column of 255
_WORDS = {"on-hold": "hold", "on hold": "hold"}


def as_text(value: object) -> str | None:
    """Text, or None for null and for what is not text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_ID:
        return str(value)
    return None


def as_id(value: object) -> str | None:
    """An id as text, fit for a header and a key: visible ASCII, at most 200 characters. Not every id is a number.

    Null, "", "0" and 0 mean that there is none (docs/vendors/zendesk.md#event-bodies).
    """
    if type(value) is str and value.isdecimal() and value.isascii() and len(value) < LONGEST_PLAIN_ID:
        return None if value == "0" else value
    text = as_text(value)
    text = text.strip() if text else None
    return None if text in (None, "", "0") or not _ID.fullmatch(text) else text


def digits(value: object) -> str | None:
    """An id that must be digits, or None."""
    text = as_id(value)
    return text if text is not None and _DIGITS.fullmatch(text) else None


def as_word(value: object) -> str | None:
    """An enum value as REST writes it: `SOLVED` and `Solved` are `solved`; unknown words are kept."""
    return _word(value) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _word(text: str) -> str | None:
    word = text.strip().casefold()
    return _WORDS.get(word, word) or None


def as_tags(value: object) -> list[str] | None:
    """Tags from a list, null or a text with spaces; each once, in the order they came. None: these are no tags."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list):
        return None
    return list(dict.fromkeys(tag for tag in value if isinstance(tag, str) and tag.strip()))


def as_bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def as_moment(value: object) -> datetime | None:
    """An aware UTC moment from ISO 8601 with 0 to 9 fractional digits (or a mail date), else None."""
    if not isinstance(value, str) or not 8 <= len(value) <= 64:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        moment_or_none = _mail_date(value)
        if moment_or_none is None:
            return None
        moment = moment_or_none
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _mail_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def as_change(value: object) -> str | bool | list[str] | None:
    """One side of a change: text, yes or no, a list of texts; anything deeper is left out."""
    if isinstance(value, list):
        return [text for item in value if (text := as_text(item)) is not None]
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return repr(value)
    return as_text(value)


def mapping(value: object) -> dict[str, object]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}
