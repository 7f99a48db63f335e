"""What is an answer, and what is none (docs/rules.md C1, C10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csat.ratings.answer import Answer, BadAnswer, clean, parse_answer
from tests.support.for_each import for_each

REASONS = ("My issue was not resolved", "Some other reason")


def parse(score: str, comment: str = "", reason: str = "", *, limit: int = 20) -> Answer:
    return parse_answer(score, comment, reason, limit=limit, reasons=REASONS)


@for_each(
    "fields, answer",
    [
        (("good",), Answer("good")),
        (("bad",), Answer("bad")),
        (("good", "  quick\r\nand kind "), Answer("good", "quick\nand kind")),
        (("good", "", "Some other reason"), Answer("good")),
        (("bad", "slow", "Some other reason"), Answer("bad", "slow", "Some other reason")),
        (("bad", "\x00\x1b", ""), Answer("bad")),
        (("bad", "x" * 20, ""), Answer("bad", "x" * 20)),
    ],
)
def test_forms_that_are_answers(fields: tuple[str, ...], answer: Answer) -> None:
    assert parse(*fields) == answer


@for_each(
    "fields, words",
    [
        (("",), "choose Good or Bad"),
        (("GOOD",), "choose Good or Bad"),
        (("offered",), "choose Good or Bad"),
        (("bad", "x" * 21), "21 characters, 20 are possible"),
        (("bad", "", "You are all fools"), "reason from the list"),
    ],
)
def test_forms_that_are_none(fields: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        parse(*fields)


@given(st.text())
def test_cleaned_text_can_be_stored_and_shown(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert "\x00" not in cleaned
    assert "\r" not in cleaned
    assert clean(cleaned) == cleaned


def test_languages_and_emoji_survive() -> None:
    assert clean("Grüße, 你好 🙂 👨‍👩‍👧 שלום") == "Grüße, 你好 🙂 👨‍👩‍👧 שלום"
