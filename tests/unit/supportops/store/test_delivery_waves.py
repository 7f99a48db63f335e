"""Calls of one transaction are written in bulk, and calls for one key in their order."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from supportops.store.deliveries import PRIORITY_STEP, DeliveryBook, _Call, _first_wave
from tests.support.engine import MONDAY
from tests.support.for_each import for_each

calls = st.lists(
    st.builds(
        _Call,
        kind=st.sampled_from(("schedule", "rearm", "cancel")),
        destination=st.sampled_from("ab"),
        key=st.sampled_from("xyz"),
        row=st.just({}),
    ),
    max_size=20,
)


@given(calls)
def test_waves_hold_each_key_once_and_keep_the_order_of_its_calls(collected: list[_Call]) -> None:
    waves, rest = [], collected
    while rest:
        wave, rest = _first_wave(rest)
        keys = [(call.destination, call.key) for call in wave]
        assert len(keys) == len(set(keys))
        waves.append(wave)
    written = [call for wave in waves for call in wave]
    for key in {(call.destination, call.key) for call in collected}:
        assert [c for c in written if (c.destination, c.key) == key] == [
            c for c in collected if (c.destination, c.key) == key
        ]
    assert len(waves) == max((_times(collected, call) for call in collected), default=0)


def _times(collected: list[_Call], wanted: _Call) -> int:
    return sum((c.destination, c.key) == (wanted.destination, wanted.key) for c in collected)


def _position(book: DeliveryBook, due: timedelta, priority: int = 0) -> int:
    book.schedule(
        "slack", f"k{len(book._calls)}", lane="l", payload={}, due_at=MONDAY + due, priority=priority
    )
    position = book._calls[-1].row["position"]
    assert isinstance(position, int)
    return position


def test_positions_follow_the_due_time_and_then_the_order_of_the_calls() -> None:
    book = DeliveryBook(MONDAY)
    now = timedelta(0)
    assert _position(book, now) < _position(book, now) < _position(book, timedelta(seconds=1))
    assert _position(book, timedelta(days=400)) > _position(book, timedelta(days=399))


@for_each("priority", [1, 2, 900])
def test_a_higher_priority_goes_before_any_due_time_and_fits_the_column(priority: int) -> None:
    book = DeliveryBook(MONDAY)
    century = timedelta(days=36500)
    urgent = _position(book, century, priority)
    assert urgent < _position(book, -century, priority - 1)
    assert abs(urgent) < 2**63
    assert 2 * century // timedelta(microseconds=1) < PRIORITY_STEP
