"""The JSON of a signed body, strictly: an object that names no key twice, and nothing our stores cannot hold. Pure.

In a trigger body customers' words stand unescaped: a quote in a title can add keys. Where a key then occurs
twice, nobody can tell which one the admin wrote, so neither is believed. The stores cannot hold NUL and half
surrogates (an emoji that someone cut in two); both are taken out before keys are compared.
"""

from json import JSONDecoder
from typing import Any, Final

from ingest.webhooks.native import Unreadable
from supportops.json_text import cleaned, no_constant

_SPECIAL: Final = ("\\u0000", "\\ud", "\\uD")
_BOM: Final = "\ufeff"


def load(body: bytes) -> dict[str, object]:
    """The JSON object. Raises Unreadable or RecursionError."""
    try:
        text = body.decode().removeprefix(_BOM)
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    try:
        raw: Any = _reader(text).decode(text)
    except ValueError:
        raise Unreadable("not JSON") from None
    if not isinstance(raw, dict):
        raise Unreadable("not a JSON object")
    return raw


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key occurs twice")
    return found


def _cleaned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _object([(cleaned(key), cleaned(value)) for key, value in pairs])


_PLAIN: Final = JSONDecoder(object_pairs_hook=_object, parse_constant=no_constant)
_CLEANING: Final = JSONDecoder(object_pairs_hook=_cleaned, parse_constant=no_constant)


def _reader(text: str) -> JSONDecoder:
    """Made once: each webhook would pay for one of its own. One character is found ten times sooner than two."""
    special = "\\" in text and any(special in text for special in _SPECIAL)
    return _CLEANING if special else _PLAIN
