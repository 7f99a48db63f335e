"""What we know of a ticket does not depend on the order in which we heard it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.ticket_records.fit import Value
from sfdc_sync.ticket_records.state import TicketState

FACTS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.dictionaries(st.sampled_from("abcde"), st.one_of(st.none(), st.integers(0, 9)), max_size=5),
    ),
    max_size=12,
    unique_by=lambda fact: fact[0],
)


def told(*facts: tuple[int, dict[str, Value]]) -> TicketState:
    state = TicketState()
    for number, values in facts:
        state = state.merged(f"v{number:03}", values)
    return state


def test_newer_facts_win_and_older_ones_change_nothing() -> None:
    state = told((2, {"status": "solved"}), (1, {"status": "new"}))
    assert state.fields() == {"status": "solved"}
    assert state.merged("v002", {"status": "open"}) is state


def test_an_older_full_snapshot_fills_what_a_newer_partial_one_left_open() -> None:
    state = told((2, {"status": "solved"}), (1, {"status": "new", "subject": "Hello"}))
    assert state.fields() == {"status": "solved", "subject": "Hello"}


def test_known_to_be_empty_is_knowledge() -> None:
    assert told((1, {"organization_id": "5"}), (2, {"organization_id": None})).fields() == {
        "organization_id": None
    }


def test_the_version_is_the_newest_one() -> None:
    assert told((3, {"a": 1}), (1, {"b": 2})).version == "v003"
    assert TicketState().version == ""


@given(FACTS, st.randoms())
def test_the_order_of_arrival_does_not_matter(
    facts: list[tuple[int, dict[str, Value]]], random: Random
) -> None:
    shuffled = sorted(facts, key=lambda _fact: random.random())
    assert told(*facts).fields() == told(*shuffled).fields()
    assert told(*facts).version == told(*shuffled).version


@given(FACTS)
def test_it_survives_storage(facts: list[tuple[int, dict[str, Value]]]) -> None:
    state = told(*facts)
    assert TicketState.parse(state.dump()).dump() == state.dump()
    assert TicketState.parse(state.dump()).fields() == state.fields()


def test_nothing_stored_is_nothing_known() -> None:
    assert TicketState.parse(None).fields() == {}
