"""JSON that others wrote, as our stores can hold it: without NUL and half surrogates (an emoji cut in two). Pure."""

import json
import re
from typing import Any

import orjson

_HALF_SURROGATES = re.compile("[\ud800-\udfff]")


def cleaned(value: Any) -> Any:
    """Text, and texts in lists, without NUL and half surrogates; objects are to be clean already."""
    if isinstance(value, str):
        return _HALF_SURROGATES.sub("\ufffd", value.replace("\x00", ""))
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value


def no_constant(name: str) -> None:
    """NaN and Infinity, which Python's reader would take."""
    raise ValueError(f"{name} is not JSON")


def load_cleaned(content: bytes) -> Any:
    """What `content` says, in UTF-8, cleaned; of a key that occurs twice the last. Raises ValueError.

    Such characters are rare, and the quick reader refuses half surrogates: what it takes is only looked at for NUL.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        if b"\\u" not in content:
            raise
    else:
        if b"\\u0000" not in content:
            return value
    try:
        text = content.decode()
        return cleaned(json.loads(text, object_pairs_hook=_cleaned_object, parse_constant=no_constant))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _cleaned_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {cleaned(key): cleaned(value) for key, value in pairs}
