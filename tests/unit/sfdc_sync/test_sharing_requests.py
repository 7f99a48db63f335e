"""Life cycle, evidence and audit of sharing requests: tables of what may happen and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.sharing.rules.access import Member, Situation
from sfdc_sync.sharing.rules.audit import BEGINNING, Entry, broken_at
from sfdc_sync.sharing.rules.evidence import (
    Acceptance,
    Evidence,
    forbidden,
    ids_of,
    misnamed,
    objections,
)
from sfdc_sync.sharing.rules.lifecycle import (
    Action,
    NotAllowed,
    Request,
    State,
    approve,
    is_over,
    moved,
    same_person,
)
from sfdc_sync.sharing.rules.options import Option, Sharing
from tests.support.for_each import for_each

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ASKED = Request(7, "1", "5001", Option.ALL_VIEW, (), "ada", State.ASKED, NOON, seen="abc")


@for_each(
    "action, from_states, after",
    [
        (Action.CHECK, "checking asked", State.ASKED),
        (Action.LOOK_AGAIN, "approved", State.ASKED),
        (Action.REFUSE, "checking asked approved", State.REFUSED),
        (Action.EXPIRE, "checking asked", State.EXPIRED),
        (Action.APPROVE, "asked", State.APPROVED),
        (Action.APPLY, "approved failed", State.APPLIED),
        (Action.FAIL, "approved undoing failed", State.FAILED),
        (Action.UNDO, "applied failed", State.UNDOING),
        (Action.UNDONE, "undoing failed", State.UNDONE),
    ],
)
@for_each("state", list(State))
def test_every_action_has_its_states_and_no_others(
    state: State, action: Action, from_states: str, after: State
) -> None:
    request = replace(ASKED, state=state)
    if state in from_states.split():
        assert moved(request, action) is after
    else:
        with pytest.raises(NotAllowed, match="request 7"):
            moved(request, action)


@for_each("name", ["ada", "Ada", " ada ", "@ada", "\uff21\uff24\uff21", "A da"])
def test_whoever_asked_does_not_approve_however_they_spell_their_name(name: str) -> None:
    with pytest.raises(NotAllowed, match="second person"):
        approve(ASKED, name, "abc")
    assert same_person(name, "ada")


def test_a_second_person_approves_what_they_were_shown() -> None:
    assert approve(ASKED, "ben", "abc") is State.APPROVED
    assert approve(ASKED, "ben", None) is State.APPROVED
    with pytest.raises(NotAllowed, match="look once more"):
        approve(ASKED, "ben", "an older one")


@for_each(
    "state, age, over",
    [
        (State.ASKED, timedelta(days=7), True),
        (State.CHECKING, timedelta(days=8), True),
        (State.ASKED, timedelta(days=7, seconds=-1), False),
        (State.APPROVED, timedelta(days=30), False),
        (State.APPLIED, timedelta(days=30), False),
    ],
)
def test_a_request_without_an_answer_ends_after_a_week(state: State, age: timedelta, over: bool) -> None:
    assert is_over(replace(ASKED, state=state), NOON + age, timedelta(days=7)) is over


ACCEPTANCE = Acceptance(["We accept that our colleagues see each other's tickets"], ["sharing_accepted"])
YES = "Hello,\nwe  accept that our colleagues see each other\N{RIGHT SINGLE QUOTATION MARK}s tickets. Rita"
ANSWERED_TO = [
    "-----Original Message-----",
    "-----Urspr\xfcngliche Nachricht-----",
    "From: Support <help@vendor.example>\nSent: Monday, 2 March 2026 10:00\nTo: Rita",
    "*Von:* Support\n*Gesendet:* Montag",
    "________________________________",
    "##- Please type your reply above this line -##",
    "On Mon, 2 Mar 2026 at 10:00, Support <help@vendor.example> wrote:",
    "Le lun. 2 mars 2026 \xe0 10:00, Support a \xe9crit\xa0:",
]
"""What mail programs put above the message that is answered."""
GOOD = Evidence("5001", "11", True, frozenset({"1", "2"}), words=(YES,))


@for_each(
    "evidence, why",
    [
        (GOOD, []),
        (replace(GOOD, words=(), tags=frozenset({"sharing_accepted"})), []),
        (None, ["not there"]),
        (replace(GOOD, requester_organizations=frozenset({"2"})), ["does not belong to organization 1"]),
        (replace(GOOD, requester_is_end_user=False), ["not requested by a customer"]),
        (replace(GOOD, requester_id=None), ["not requested by a customer"]),
        (replace(GOOD, words=("Yes, please",)), ["the customer's acceptance: the requester writes"]),
        (replace(GOOD, words=(f"No!\n> {ACCEPTANCE.phrases[0]}",)), ["acceptance"]),
        *((replace(GOOD, words=(f"No, thanks!\n{above}\n{YES}",)), ["acceptance"]) for above in ANSWERED_TO),
        (replace(GOOD, words=(f"{YES}\n{ANSWERED_TO[0]}\nPlease confirm",)), []),
        (replace(GOOD, words=(f"As our director wrote:\n{YES}",)), []),
        (replace(GOOD, words=(f"From: Groablet\nTo whom it may concern:\n{YES}",)), []),
        (replace(GOOD, words=(), requester_organizations=frozenset()), ["does not belong", "acceptance"]),
    ],
)
def test_a_ticket_is_evidence_or_the_reasons_say_why_not(evidence: Evidence | None, why: list[str]) -> None:
    found = objections(evidence, "5001", "1", ACCEPTANCE)
    assert len(found) == len(why)
    assert all(part in reason for part, reason in zip(why, found, strict=True))


@for_each(
    "notes, words",
    [
        (["VIP. No  Shared organization!"], ["no shared organization"]),
        (["", "contract says: do not share"], ["do not share"]),
        (["Shares everything"], []),
        ([], []),
    ],
)
def test_a_note_on_the_organization_may_forbid_it(notes: list[str], words: list[str]) -> None:
    found = forbidden(notes, ["no shared organization", "do not share"])
    assert found == [f'a note on the organization says "{word}"' for word in words]


PEOPLE = Situation(
    "1",
    "Groablet",
    Sharing(False, False),
    (
        Member("11", "Rita", "Rita@groablet.example"),
        Member("12", "Sam", "sam@groablet.example", suspended=True),
        Member("13", "Ada", "ada@support.example", end_user=False),
    ),
)


@for_each(
    "option, selected, why",
    [
        (Option.SELECTED_VIEW, ["rita@groablet.example", "11"], []),
        (Option.SELECTED_VIEW, [], ["needs the people"]),
        (Option.ALL_VIEW, [], []),
        (Option.ALL_VIEW, ["11"], ["names nobody"]),
        (Option.SELECTED_COMMENT, ["99", "11"], ["99 does not belong"]),
        (Option.SELECTED_COMMENT, ["12"], ["suspended"]),
        (Option.SELECTED_COMMENT, ["ada@support.example"], ["agent"]),
    ],
)
def test_people_are_named_where_the_option_needs_them(
    option: Option, selected: list[str], why: list[str]
) -> None:
    found = misnamed(option, selected, PEOPLE)
    assert len(found) == len(why)
    assert all(part in reason for part, reason in zip(why, found, strict=True))


def test_a_person_named_twice_is_one() -> None:
    assert ids_of(["11", "RITA@groablet.example"], PEOPLE) == ("11",)


def log(count: int) -> list[tuple[Entry, str]]:
    entries: list[tuple[Entry, str]] = []
    previous = BEGINNING
    for number in range(1, count + 1):
        entry = Entry(number, NOON, 7, "asked", "ada", "page", {"option": "all_view"}, previous)
        previous = entry.digest
        entries.append((entry, previous))
    return entries


def head(entries: list[tuple[Entry, str]]) -> tuple[int, str]:
    return (entries[-1][0].number, entries[-1][1]) if entries else (0, BEGINNING)


@for_each("count", [0, 1, 4])
def test_a_whole_log_is_whole(count: int) -> None:
    assert broken_at(log(count), head(log(count))) is None


@given(
    at=st.integers(0, 4),
    field=st.sampled_from(["at", "request", "action", "by", "via", "details", "previous"]),
    rehashed=st.booleans(),
)
def test_a_changed_entry_is_found_whatever_was_changed(at: int, field: str, rehashed: bool) -> None:
    entries = log(5)
    values: dict[str, Any] = {"at": NOON + timedelta(microseconds=1), "request": 8, "details": {"x": 1}}
    change: dict[str, Any] = {field: values.get(field, "f" * 64)}
    changed = replace(entries[at][0], **change)
    entries[at] = (changed, changed.digest if rehashed else entries[at][1])
    assert broken_at(entries, head(log(5))) is not None


@given(at=st.integers(0, 4))
def test_a_missing_entry_is_found_also_at_the_end(at: int) -> None:
    entries = log(5)
    whole = head(entries)
    del entries[at]
    assert broken_at(entries, whole) is not None
