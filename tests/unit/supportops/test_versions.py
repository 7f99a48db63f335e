"""Which of two facts is newer: one sortable text per fact (docs/vendors/zendesk.md#event-bodies)."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from supportops.ticket_version import is_newer, sortable_time, version_of
from tests.support.for_each import for_each

SAME_INSTANT = [
    "2025-01-08T16:45:20Z",
    "2025-01-08T16:45:20.0Z",
    "2025-01-08T16:45:20.000000000Z",
    "2025-01-08t16:45:20Z".upper(),
    "2025-01-08 16:45:20Z",
    "2025-01-08T16:45:20z",
    "2025-01-08T16:45:20",
    "2025-01-08T18:45:20+02:00",
    "2025-01-08T18:45:20+0200",
    "2025-01-08T11:15:20-05:30",
    " 2025-01-08T16:45:20Z ",
]


@for_each("text", SAME_INSTANT)
def test_all_ways_to_write_an_instant_are_one_text(text: str) -> None:
    assert sortable_time(text) == "2025-01-08T16:45:20.000000000Z"


@for_each("digits", range(1, 13))
def test_digits_of_a_second_up_to_nanoseconds_count(digits: int) -> None:
    written = "987654321987"[:digits]
    assert sortable_time(f"2025-01-08T16:45:20.{written}Z") == (
        f"2025-01-08T16:45:20.{written[:9].ljust(9, '0')}Z"
    )


@for_each(
    "garbage",
    [
        None,
        "",
        "yesterday",
        "2025-01-08",
        "16:45:20",
        "2025-01-08T16:45:20+99:99",
        "9999-12-31T23:59:59-23:59",
        "2025-01-08T16:45:20Z; DROP TABLE",
        "٢٠٢٥-01-08T16:45:20Z",
        "2025-01-08T16:45:20.Z",
        "1736354720",
    ],
)
def test_what_cannot_be_read_sorts_before_every_time(garbage: str | None) -> None:
    assert sortable_time(garbage) < sortable_time("0001-01-01T00:00:00Z")


def test_datetimes_and_their_texts_agree() -> None:
    moment = datetime(2025, 1, 8, 18, 45, 20, 987654, timezone(timedelta(hours=2)))
    assert (
        sortable_time(moment)
        == sortable_time(moment.isoformat())
        == sortable_time("2025-01-08T16:45:20.987654Z")
    )


def test_years_before_1000_keep_their_four_digits() -> None:
    assert sortable_time(datetime(987, 1, 2, tzinfo=UTC)) == sortable_time("0987-01-02T00:00:00Z")


def test_updated_at_decides_then_the_time_then_the_position() -> None:
    early, late = "2025-01-08T16:45:20Z", "2025-01-08T16:45:21Z"
    in_order = [
        version_of(None, late, 9),
        version_of(early, early, 1),
        version_of(early, early, 2),
        version_of(early, early, 10),
        version_of(early, late, 0),
        version_of(late, None, None),
    ]
    assert in_order == sorted(in_order)
    assert len(set(in_order)) == len(in_order)


def test_a_negative_position_is_none() -> None:
    assert version_of("2025-01-08T16:45:20Z", None, -5) == version_of("2025-01-08T16:45:20Z")


@for_each(
    "candidate, stored, newer",
    [
        (version_of("2025-01-08T16:45:20Z"), None, True),
        (version_of("2025-01-08T16:45:21Z"), version_of("2025-01-08T16:45:20Z"), True),
        (version_of("2025-01-08T16:45:20Z"), version_of("2025-01-08T16:45:20Z"), False),
        (version_of("2025-01-08T16:45:20Z"), version_of("2025-01-08T16:45:21Z"), False),
    ],
)
def test_only_a_newer_version_replaces(candidate: str, stored: str | None, newer: bool) -> None:
    assert is_newer(candidate, stored) is newer


moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
triples = st.tuples(moments, moments, st.integers(0, 999_999))


def written(moment: datetime, offset: int, digits: int) -> str:
    """`moment` as somebody in another time zone writes it, with at least microseconds."""
    local = moment.astimezone(timezone(timedelta(minutes=offset)))
    return local.strftime(f"%Y-%m-%dT%H:%M:%S.%f{'0' * digits}") + local.isoformat()[-6:]


@given(first=triples, second=triples, offset=st.integers(-840, 840), digits=st.integers(0, 6))
def test_order_of_the_texts_is_the_order_of_the_triples(
    first: tuple[datetime, datetime, int],
    second: tuple[datetime, datetime, int],
    offset: int,
    digits: int,
) -> None:
    plain = version_of(*first)
    foreign = version_of(written(second[0], offset, digits), written(second[1], -offset, digits), second[2])
    assert (plain < foreign) == (first < second)
    assert (plain == foreign) == (first == second)


@given(st.text(max_size=60))
def test_no_text_from_outside_breaks_it(text: str) -> None:
    version = version_of(text, text, None)
    assert len(version) == len(version_of(None))
    assert version.isascii()
