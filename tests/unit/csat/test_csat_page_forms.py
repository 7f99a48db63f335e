"""Whatever arrives as a form is read as text, or refused."""

from contextlib import nullcontext
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from csat.ratings.answer import BadAnswer, clean, parse_answer
from csat.survey_page.errors import Refused
from csat.survey_page.form import wish_in
from supportops.web.forms import MOST_FIELDS, UnusableForm, parse_form

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REASONS = ("too slow", "too <fast>")


@given(st.binary(max_size=500))
@example(b"a=%ff&b=%ed%a0%80")
@example(b"score=good&score=bad")
@example(b"%00=%00&&&=&=;")
def test_any_bytes_are_a_form_or_are_refused(body: bytes) -> None:
    try:
        fields = parse_form(body)
    except UnusableForm:
        return
    assert len(fields) <= MOST_FIELDS
    for name, value in fields.items():
        (name + value).encode()  # raises for halves of surrogate pairs: it can be stored and shown


@given(st.dictionaries(TEXT, TEXT, max_size=MOST_FIELDS))
def test_what_a_browser_sends_arrives_as_it_was(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == fields


def test_the_first_value_of_a_field_counts() -> None:
    assert parse_form(b"score=good&score=bad&comment=") == {"score": "good", "comment": ""}


@pytest.mark.parametrize("body", [b"\xff=1", b"&".join([b"a=1"] * (MOST_FIELDS + 1))])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(UnusableForm):
        parse_form(body)


@given(
    st.dictionaries(
        st.sampled_from(["score", "comment", "reason"]), TEXT | st.sampled_from(["good", "bad", *REASONS])
    )
)
def test_an_answer_holds_only_what_is_allowed(fields: dict[str, str]) -> None:
    read = {"score": "", "comment": "", "reason": ""} | parse_form(urlencode(fields).encode())
    allowed = (
        read["score"] in ("good", "bad")
        and len(clean(read["comment"])) <= 50
        and (read["score"] == "good" or read["reason"] in ("", *REASONS))
    )
    with nullcontext() if allowed else pytest.raises(BadAnswer):
        answer = parse_answer(**read, limit=50, reasons=REASONS)
        assert answer.score == read["score"]
        assert answer.comment == (clean(read["comment"]) or None)
        assert answer.reason in (None, *REASONS)


def test_a_wish_is_one_of_two() -> None:
    assert [wish_in({}), wish_in({"asking": "stop"}), wish_in({"asking": "resume"})] == [
        None,
        "stop",
        "resume",
    ]
    with pytest.raises(Refused):
        wish_in({"asking": "later"})
