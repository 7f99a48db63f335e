"""What a rating means (docs/rules.md C1, C10). Pure."""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from csat.policy.native_ratings import Score


class BadAnswer(ValueError):
    """The form's fields are no answer; `field` is the one to look at, the message says in English what is wrong."""

    def __init__(self, field: Literal["score", "comment", "reason", "confirm"], message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Answer:
    """What a customer says about a solved ticket; a reason belongs to a bad score only (C10)."""

    score: Score
    comment: str | None = None
    reason: str | None = None


def parse_answer(score: str, comment: str, reason: str, *, limit: int, reasons: Collection[str]) -> Answer:
    """The answer that a form's fields stand for. BadAnswer when there is none in them.

    Empty text counts as none; a comment may have `limit` characters; a reason must be one of `reasons`.
    """
    if score not in ("good", "bad"):
        raise BadAnswer("score", "Please choose Good or Bad.")
    said = clean(comment)
    if len(said) > limit:
        raise BadAnswer("comment", f"The comment is too long: {len(said)} characters, {limit} are possible.")
    if score == "good":
        return Answer("good", said or None)
    if reason and reason not in reasons:
        raise BadAnswer("reason", "Please choose a reason from the list.")
    return Answer("bad", said or None, reason or None)


def clean(text: str) -> str:
    """`text` with plain line breaks and without control characters and halves of surrogate pairs."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()
