"""A dead letter: the record byte for byte, and where and why it died."""

import pytest

from supportops.messaging.dead_letter import bury, smaller
from tests.support.records import FakeRecord, texts


def test_it_keeps_key_value_and_headers_and_tells_origin_and_reason() -> None:
    headers = [("ce_id", b"e1"), ("x", b"\xff\xfe"), ("ce_type", b"t")]
    record = FakeRecord(b"\xffkey", b"{not json", headers, partition=7, offset=42)
    letter = bury(record, "csat", "decode", "not JSON", attempts=1)
    assert (letter.topic, letter.key, letter.value) == ("csat.dead-letter", b"\xffkey", b"{not json")
    assert letter.headers[:3] == headers
    assert dict(letter.headers[3:]) == {
        "dl_group": b"csat",
        "dl_stage": b"decode",
        "dl_reason": b"not JSON",
        "dl_attempts": b"1",
        "dl_topic": b"zendesk.tickets",
        "dl_partition": b"7",
        "dl_offset": b"42",
    }


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_value_or_key_stays_without(value: bytes | None) -> None:
    letter = bury(FakeRecord(None, value, []), "csat", "decode", "no value", attempts=1)
    assert (letter.key, letter.value) == (None, value)


def test_the_reason_is_bounded_and_may_hold_any_text() -> None:
    letter = bury(FakeRecord(), "csat", "handle", "\ud800 Ü" * 1000, attempts=3)
    assert len(texts(letter)["dl_reason"]) == 1000


def test_a_dead_letter_that_dies_again_tells_of_its_last_death_last() -> None:
    first = bury(FakeRecord(offset=1), "csat", "decode", "first", attempts=1)
    again = bury(FakeRecord(headers=first.headers, offset=2), "csat", "handle", "second", attempts=3)
    assert dict(again.headers)["dl_reason"] == b"second"


def test_headers_without_a_value_stay_without_also_where_the_letter_is_too_large() -> None:
    """Kafka's null is another value than none at all; a foreign producer may write either."""
    headers = [("null", None), ("empty", b"")]
    letter = bury(FakeRecord(value=b"x" * 100_000, headers=headers), "csat", "decode", "no", attempts=1)
    shorter = smaller(letter)
    assert shorter is not None
    assert [*letter.headers[:2]] == [*shorter.headers[:2]] == headers
