"""Record ids: published and recorded pairs, and what must not pass for an id.

See docs/vendors/salesforce.md#record-ids.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.salesforce.record_id import is_valid18, normalise, to18
from tests.support.for_each import for_each
from tests.support.record_ids import VECTORS

ids15 = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=15, max_size=15)


@for_each("short, suffix", VECTORS.items())
def test_the_suffix_is_the_published_one(short: str, suffix: str) -> None:
    assert to18(short) == short + suffix
    assert is_valid18(short + suffix)
    assert normalise(short) == normalise(short + suffix) == short + suffix


@for_each("damage", [str.lower, str.upper, str.swapcase])
@for_each("short, suffix", VECTORS.items())
def test_an_18_whose_case_was_damaged_is_restored(short: str, suffix: str, damage: type[str]) -> None:
    assert normalise(damage(short + suffix)) == short + suffix


@given(ids15)
def test_every_15_survives_the_way_through_18(short: str) -> None:
    assert normalise(to18(short).lower()) == to18(short)


@for_each(
    "text",
    [
        "",
        "001",
        "0015500001QdZPKBAA",
        "0015500001QdZPKAA9",
        "00155/0001QdZPK",
        "001550\uff10001QdZPK",
        "x" * 19,
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    assert normalise(text) is None
    assert not is_valid18(text)


def test_two_ids_that_differ_in_case_alone_are_two() -> None:
    assert normalise("0015500001QdZPK") != normalise("0015500001qdzpk")


def test_only_15_letters_and_digits_get_a_suffix() -> None:
    with pytest.raises(ValueError, match="15"):
        to18("001")
