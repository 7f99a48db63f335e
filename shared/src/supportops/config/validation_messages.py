"""Turns validation errors into sentences that say what is wrong and what is allowed."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import AfterValidator
from pydantic_core import ErrorDetails

_PLAIN = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of keys and values",
}
_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def allowed_values(annotation: object) -> tuple[str, ...]:
    """The few values an annotation allows (Literal, Enum, bool); empty when they cannot be listed."""
    origin = get_origin(annotation)
    if origin is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if origin in (Union, UnionType):
        return tuple(value for part in get_args(annotation) for value in allowed_values(part))
    if origin is Annotated:
        return allowed_values(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    return ("true", "false") if annotation is bool else ()


def limits(metadata: Iterable[object]) -> str:
    """The bounds that a field's constraints name: `at least 1, at most 65535`; empty without any."""
    bounds = []
    for constraint in metadata:
        for attribute, words in _LIMITS.items():
            bound = getattr(constraint, attribute, None)
            if bound is not None:
                bounds.append(f"{words} {bound}")
    return ", ".join(bounds)


def explain(error: ErrorDetails) -> str:
    """One validation error in plain words; never the value itself, which may be a secret or a body."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "enum"):
        return f"is none of the allowed values; allowed: {context.get('expected')}"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "too_short" and context.get("min_length") == 1:
        return "needs at least one entry"
    words = error["msg"].removeprefix("Input ")
    return words[:1].lower() + words[1:]


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` when a known name is close, else the list of what is known."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; allowed: {', '.join(names)}" if names else ""


def matching(pattern: str, words: str) -> AfterValidator:
    """For a text that must match; `words` say of what form it is: `must be an id of 18 characters`."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)
