"""CloudEvents in Kafka's binary mode: what is refused, and that nothing but Undecodable ever comes out."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportops import contracts as c
from supportops.contracts import UnknownEventType, decode, encode, event_type, reprocess_group
from supportops.errors import Undecodable
from tests.support.examples import examples
from tests.support.for_each import for_each

EVENT = c.TicketSolved(
    id="a8b9c1d2",
    source="/zendesk/22129848",
    time=datetime(2025, 1, 8, 16, 45, 20, 987654, UTC),
    subject="5158",
    account_id="22129848",
    ticket_id="5158",
    version="2025",
    solved_at=datetime(2025, 1, 8, 16, 45, 20, tzinfo=UTC),
    ticket=c.TicketSnapshot(organization_id=None, status="solved"),
)
KEY, VALUE, HEADERS = encode(EVENT)


def with_header(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [*[header for header in HEADERS if header[0] != name], (name, value)]


def without(name: str) -> list[tuple[str, bytes]]:
    return [header for header in HEADERS if header[0] != name]


def test_headers_and_value() -> None:
    assert KEY == b"5158"
    assert dict(HEADERS) == {
        "ce_specversion": b"1.0",
        "ce_type": b"support.ticket.solved.v1",
        "ce_id": b"a8b9c1d2",
        "ce_source": b"/zendesk/22129848",
        "ce_time": b"2025-01-08T16:45:20.987654Z",
        "ce_subject": b"5158",
        "content-type": b"application/json",
    }
    assert VALUE == (
        b'{"account_id":"22129848","ticket_id":"5158","version":"2025",'
        b'"ticket":{"status":"solved","organization_id":null},"solved_at":"2025-01-08T16:45:20Z"}'
    )


def test_absent_and_null_survive() -> None:
    event = decode(HEADERS, VALUE)
    assert event == EVENT
    assert isinstance(event, c.TicketSolved)
    assert event.knows("organization_id")
    assert event.ticket.organization_id is None
    assert not event.knows("assignee_id")
    assert not event.knows("previous_status")
    assert event.knows("solved_at")
    assert not event.knows("subject"), "the ticket's subject, not the envelope's"


def test_moments_become_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    event = EVENT.model_validate(
        {**EVENT.model_dump(), **envelope(), "time": datetime(2025, 1, 8, 17, tzinfo=berlin)}
    )
    assert dict(encode(event)[2])["ce_time"] == b"2025-01-08T16:00:00Z"


def envelope() -> dict[str, Any]:
    return {"id": EVENT.id, "source": EVENT.source, "time": EVENT.time, "subject": EVENT.subject}


def test_type_and_group_are_told_without_decoding() -> None:
    assert event_type(HEADERS) == "support.ticket.solved.v1"
    assert event_type([]) is None
    assert event_type([("ce_type", b"\xff")]) is None
    assert event_type([("ce_type", None)]) is None
    assert reprocess_group(HEADERS) is None
    assert reprocess_group([*HEADERS, ("ce_reprocess", b"csat")]) == "csat"


def test_a_header_with_two_values_is_refused_and_never_passed_over() -> None:
    """Whoever looks at the first would take the record for somebody else's, whoever looks at the last for ours."""
    for twice in (("ce_type", b"com.acme.other"), ("ce_id", b"another"), ("ce_time", None)):
        for headers in ([twice, *HEADERS], [*HEADERS, twice]):
            assert event_type(headers) in (None, "support.ticket.solved.v1")
            with pytest.raises(Undecodable, match=f"header {twice[0]} is there twice"):
                decode(headers, VALUE)
    assert event_type([("ce_type", b"com.acme.other"), *HEADERS]) is None
    groups = [("ce_reprocess", b"notifier"), ("ce_reprocess", b"csat")]
    assert reprocess_group([*HEADERS, *groups]) is None
    assert decode([*HEADERS, *HEADERS, ("trace", b"1"), ("trace", b"2")], VALUE) == EVENT


def test_correlation_and_reprocess_travel_in_headers() -> None:
    event = EVENT.model_copy(update={"correlation_id": "root", "reprocess": "csat"})
    _, value, headers = encode(event)
    assert value == VALUE
    assert dict(headers)["ce_correlationid"] == b"root"
    assert decode(headers, value) == event


def test_envelope_names_in_the_value_do_not_count() -> None:
    value = VALUE[:-1] + b',"id":"other","correlation_id":"x","reprocess":"csat","brand_new":[1]}'
    assert decode(HEADERS, value) == EVENT


@for_each(
    "headers",
    [
        [],
        without("ce_type"),
        without("ce_id"),
        without("ce_source"),
        without("ce_time"),
        without("ce_subject"),
        without("ce_specversion"),
        with_header("ce_specversion", b"0.3"),
        with_header("ce_id", b""),
        with_header("ce_id", None),
        with_header("ce_id", b"\xff\xfe"),
        with_header("ce_id", b"a\x00b"),
        with_header("ce_id", b"x" * 300),
        with_header("ce_subject", "Grüße".encode()),
        with_header("ce_time", b"yesterday"),
        with_header("ce_time", b"2025-01-08T16:45:20"),
        with_header("ce_time", b"9" * 5000),
        with_header("ce_correlationid", b"\xff"),
        with_header("content-type", b"application/cloudevents+json"),
        with_header("content-type", b"text/plain"),
    ],
)
def test_broken_headers(headers: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(Undecodable):
        decode(headers, VALUE)


@for_each(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"[" * 1_000_000,
        b'{"ticket":' * 100_000,
        b'{"a":NaN}',
        b'{"a":1e999}',
        b"{}",
        VALUE.replace(b'"5158"', b"5158"),
        VALUE.replace(b'"5158"', b'"51 58"'),
        VALUE.replace(b'"solved"', b'"sol\\u0000ved"'),
        VALUE.replace(b"2025-01-08T16:45:20Z", b"2025-01-08T16:45:20"),
    ],
)
def test_broken_values(value: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode(HEADERS, value)


def test_a_text_that_spells_an_escape_is_no_nul() -> None:
    value = VALUE.replace(b'"solved"', b'"sol\\\\u0000ved"')
    event = decode(HEADERS, value)
    assert isinstance(event, c.TicketSolved)
    assert event.ticket.status == "sol\\u0000ved"


def test_media_type_parameters_and_a_missing_one_are_fine() -> None:
    assert decode(with_header("content-type", b"Application/JSON; charset=utf-8"), VALUE) == EVENT
    assert decode(without("content-type"), VALUE) == EVENT


@for_each("name", [b"support.ticket.solved.v2", b"com.example.test", b"x" * 10_000])
def test_unknown_types_can_be_told_apart(name: bytes) -> None:
    with pytest.raises(UnknownEventType):
        decode(with_header("ce_type", name), VALUE)


def test_reasons_do_not_quote_the_value() -> None:
    with pytest.raises(Undecodable) as caught:
        decode(HEADERS, VALUE.replace(b'"5158"', b'"secret of a customer"'))
    assert "secret" not in str(caught.value)
    assert "ticket_id" in str(caught.value)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([name for name, _ in HEADERS]), st.none() | st.binary(max_size=40)),
        max_size=3,
    ),
    st.binary(max_size=60) | st.just(VALUE),
)
def test_nothing_but_undecodable(changes: list[tuple[str, bytes | None]], value: bytes) -> None:
    try:
        decode([*HEADERS, *changes], value)
    except Undecodable:
        return
