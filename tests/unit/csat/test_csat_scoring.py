"""Answers and the KPI (handbook C1, C2)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csat.answers.scoring import Answer, BadAnswer, Kpi, clean, parse_answer

REASONS = ("My issue was not resolved", "Some other reason")
COUNTS = st.integers(0, 10**6)


def parse(score: str, comment: str = "", reason: str = "", *, limit: int = 20) -> Answer:
    return parse_answer(score, comment, reason, limit=limit, reasons=REASONS)


@pytest.mark.parametrize(
    ("good", "bad", "offered", "value"),
    [(0, 0, 0, None), (0, 0, 40, None), (1, 0, 3, 1.0), (0, 1, 3, 0.0), (19, 1, 100, 0.95), (1, 2, 3, 1 / 3)],
)
def test_hand_calculated(good: int, bad: int, offered: int, value: float | None) -> None:
    assert Kpi(good, bad, offered).value == value


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_surveys_without_an_answer_do_not_move_it(good: int, bad: int, few: int, many: int) -> None:
    assert Kpi(good, bad, few).value == Kpi(good, bad, many).value


@given(COUNTS, COUNTS)
def test_it_is_a_share_and_grows_with_every_good_answer(good: int, bad: int) -> None:
    value = Kpi(good, bad, 0).value
    assert value is None or 0 <= value <= 1
    better, worse = Kpi(good + 1, bad, 0).value, Kpi(good, bad + 1, 0).value
    assert better is not None
    assert worse is not None
    assert worse <= (value if value is not None else worse) <= better


@given(st.lists(st.sampled_from(["good", "bad"]), max_size=50), st.integers(0, 50))
def test_two_halves_weigh_what_they_count(scores: list[str], cut: int) -> None:
    def of(part: list[str]) -> Kpi:
        count = Counter(part)
        return Kpi(count["good"], count["bad"], len(part))

    halves = [half for half in (of(scores[:cut]), of(scores[cut:])) if half.value is not None]
    answered = sum(half.good + half.bad for half in halves)
    whole = of(scores).value
    assert (whole is None) == (answered == 0)
    if whole is not None:
        weighed = sum((half.value or 0) * (half.good + half.bad) for half in halves) / answered
        assert whole == pytest.approx(weighed)


@pytest.mark.parametrize(
    ("fields", "answer"),
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


@pytest.mark.parametrize(
    ("fields", "words"),
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
