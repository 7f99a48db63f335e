"""Salesforce's record ids: 15 characters with case, 18 without."""

import re

from sfdc_sync.policy.fields import ACCOUNT_PREFIX

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHORT = re.compile(r"[0-9A-Za-z]{15}", re.ASCII)
_LONG = re.compile(r"[0-9A-Za-z]{15}[A-Za-z0-5]{3}", re.ASCII)
_BLOCKS = (0, 5, 10)


def to18(id15: str) -> str:
    """`id15` with its three check characters; a ValueError when it is not 15 letters and digits."""
    if not _SHORT.fullmatch(id15):
        raise ValueError("a Salesforce id has 15 letters and digits")
    return id15 + "".join(_SUFFIX[_capitals(id15[start : start + 5])] for start in _BLOCKS)


def is_valid18(text: str) -> bool:
    """Whether `text` is an 18-character id whose suffix agrees with its case."""
    return bool(_LONG.fullmatch(text)) and to18(text[:15]) == text


def normalise(text: str) -> str | None:
    """The 18-character form of a 15, of an 18, or of an 18 whose case was damaged; None when it is no id."""
    text = text.strip()
    if _SHORT.fullmatch(text):
        return to18(text)
    if not _LONG.fullmatch(text):
        return None
    restored = _restore_case(text)
    return restored if is_valid18(restored) else None


def account_id(text: str | None) -> str | None:
    """The account's id that `text` is, of 18 characters; None when it is none."""
    found = normalise(text) if text else None
    return found if found is not None and found.startswith(ACCOUNT_PREFIX) else None


def _capitals(block: str) -> int:
    """The block's capitals as a number: bit i is set where character i is A-Z."""
    return sum(1 << i for i, character in enumerate(block) if "A" <= character <= "Z")


def _restore_case(text: str) -> str:
    suffix = text[15:].upper()
    out = ""
    for start, mark in zip(_BLOCKS, suffix, strict=True):
        mask = _SUFFIX.index(mark)
        block = text[start : start + 5]
        out += "".join(c.upper() if mask >> i & 1 else c.lower() for i, c in enumerate(block))
    return out + suffix
