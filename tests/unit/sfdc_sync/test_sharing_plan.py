"""Plans of sharing against a simple model of Zendesk: killed anywhere, undone, changed by hand meanwhile."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.sharing.rules.access import effective
from sfdc_sync.sharing.rules.options import OPTIONS, Option, Sharing, SharingState, target_of
from sfdc_sync.sharing.rules.plan import Difference, drift, steps_to, undone
from tests.support.for_each import for_each

PEOPLE = ("11", "12", "13")
ORGANIZATIONS = st.builds(Sharing, st.booleans(), st.booleans())
LEVELS = st.sampled_from(["requested", "organization", None])
STATES = st.builds(SharingState, ORGANIZATIONS, st.fixed_dictionaries(dict.fromkeys(PEOPLE, LEVELS)))
TARGETS = st.builds(
    lambda option, people: target_of(option, PEOPLE, people if OPTIONS[option].selects else ()),
    st.sampled_from(list(Option)),
    st.sets(st.sampled_from(PEOPLE)),
)


class Model:
    """The model: two switches and a word per person; a write is one change, remembered with all that it meant."""

    def __init__(self, state: SharingState) -> None:
        self.organization, self.members = state.organization, dict(state.members)

    @property
    def state(self) -> SharingState:
        return SharingState(self.organization, dict(self.members))

    def apply(self, target: SharingState) -> Iterator[SharingState]:
        """Write step by step; the state after every single write."""
        for step in steps_to(target, self.state):
            if step.organization is not None:
                self.organization = step.organization
                yield self.state
            for user_id, level in step.members.items():
                self.members[user_id] = level
                yield self.state


def rights(state: SharingState, user_id: str) -> tuple[bool, bool, bool]:
    """What the model lets somebody do: see, comment for certain, comment perhaps. Told apart from the code's levels."""
    shared, mine = state.organization, state.members[user_id] == "organization"
    return (
        shared.tickets or mine,
        shared.tickets and shared.comments,
        (shared.tickets or mine) and shared.comments,
    )


@given(before=STATES, target=TARGETS)
def test_a_plan_reaches_its_target_and_is_nothing_the_second_time(
    before: SharingState, target: SharingState
) -> None:
    model = Model(before)
    list(model.apply(target))
    assert model.state == target
    assert drift(target, model.state, "1") == []
    assert list(model.apply(target)) == []


@given(before=STATES, target=TARGETS)
def test_at_no_moment_may_anybody_do_more_than_before_or_than_is_wanted(
    before: SharingState, target: SharingState
) -> None:
    for moment in Model(before).apply(target):
        for user_id in PEOPLE:
            now = rights(moment, user_id)
            assert all(
                was >= is_now for was, is_now in zip(rights(before, user_id), now, strict=True)
            ) or all(will >= is_now for will, is_now in zip(rights(target, user_id), now, strict=True))


@given(before=STATES, target=TARGETS, killed_after=st.integers(0, 5))
def test_a_run_killed_anywhere_is_finished_by_the_next(
    before: SharingState, target: SharingState, killed_after: int
) -> None:
    model = Model(before)
    for number, _ in enumerate(model.apply(target), 1):
        if number == killed_after:
            break
    list(model.apply(target))
    assert model.state == target


@given(before=STATES, target=TARGETS)
def test_undoing_puts_back_what_was(before: SharingState, target: SharingState) -> None:
    model = Model(before)
    list(model.apply(target))
    back, left_alone = undone(before, target, model.state)
    list(model.apply(back))
    assert left_alone == []
    assert model.organization == before.organization
    assert {u: level or "requested" for u, level in before.members.items()} == model.members


@given(before=STATES, target=TARGETS, by_hand=STATES, gone=st.sets(st.sampled_from(PEOPLE)))
def test_undoing_leaves_alone_what_somebody_changed_since(
    before: SharingState, target: SharingState, by_hand: SharingState, gone: set[str]
) -> None:
    back, left_alone = undone(before, target, by_hand, gone)
    named = {each.subject for each in left_alone}
    for user_id in PEOPLE:
        is_now = by_hand.members[user_id] or "requested"
        if is_now != target.members[user_id]:
            assert user_id not in back.members
            assert (user_id in named) == (is_now != (before.members[user_id] or "requested"))
        elif user_id in gone:
            assert back.members[user_id] == "requested"
    for field in ("tickets", "comments"):
        was, given, is_now, after = (
            getattr(each, field)
            for each in (before.organization, target.organization, by_hand.organization, back.organization)
        )
        assert after == is_now if is_now not in (was, given) else after in (was, is_now)
        assert (after == was) != (f"shared_{field}" in {each.field for each in left_alone})


@given(before=STATES, target=TARGETS, by_hand=STATES)
def test_undoing_opens_nothing_that_was_open_neither_before_nor_now(
    before: SharingState, target: SharingState, by_hand: SharingState
) -> None:
    back, _ = undone(before, target, by_hand)
    model = Model(by_hand)
    list(model.apply(back))
    for user_id in PEOPLE:
        after, was, is_now = (
            effective(state.organization, state.members[user_id]).level
            for state in (model.state, before, by_hand)
        )
        assert after <= max(was, is_now)


@for_each(
    "organization, level, named",
    [
        (Sharing(True, False), "requested", []),
        (Sharing(True, True), "requested", ["shared_comments"]),
        (Sharing(False, True), "requested", ["shared_tickets", "shared_comments"]),
        (Sharing(True, False), "organization", ["ticket_restriction"]),
        (Sharing(True, False), None, ["ticket_restriction"]),
    ],
)
def test_drift_names_each_field_that_is_not_as_it_was_set(
    organization: Sharing, level: str | None, named: list[str]
) -> None:
    applied = target_of(Option.ALL_VIEW, ["11", "12"])  # 12 has left: no drift
    found = drift(applied, SharingState(organization, {"11": level, "13": "organization"}), "1")
    assert [each.field for each in found] == named


def test_people_whom_the_target_does_not_name_are_not_written() -> None:
    lower, higher = steps_to(
        SharingState(Sharing(True, False), {}), SharingState(Sharing(True, False), {"11": "organization"})
    )
    assert not lower
    assert not higher


def test_what_is_left_alone_is_told_with_both_values() -> None:
    before, set_to = target_of(Option.OWN_TICKETS, ["11"]), target_of(Option.SELECTED_VIEW, ["11"], ["11"])
    by_hand = SharingState(Sharing(True, True), {"11": "organization"})
    back, left_alone = undone(before, set_to, by_hand)
    assert back == SharingState(Sharing(True, True), {"11": "requested"})
    assert left_alone == [
        Difference("", "shared_tickets", "false", "true"),
        Difference("", "shared_comments", "false", "true"),
    ]


ALL_VIEW, OWN, ALL_COMMENT = Sharing(True, False), Sharing(False, False), Sharing(True, True)


@for_each(
    "before, applied, now, after, left_alone",
    [
        (
            OWN,
            ALL_VIEW,
            ALL_COMMENT,
            Sharing(False, True),
            ["shared_comments"],
        ),  # the tickets are closed again
        (ALL_VIEW, OWN, Sharing(False, True), Sharing(False, True), ["shared_tickets", "shared_comments"]),
        (ALL_COMMENT, ALL_VIEW, OWN, OWN, ["shared_tickets", "shared_comments"]),  # not opened beside it
        (ALL_VIEW, ALL_COMMENT, Sharing(False, True), OWN, ["shared_tickets"]),
        (ALL_VIEW, Sharing(False, True), OWN, ALL_VIEW, []),  # half-way: both are what one of the two says
        (ALL_COMMENT, OWN, OWN, ALL_COMMENT, []),
    ],
)
def test_each_setting_of_the_organization_is_judged_alone_and_none_is_opened_beside_a_change_by_hand(
    before: Sharing, applied: Sharing, now: Sharing, after: Sharing, left_alone: list[str]
) -> None:
    people = {"11": "requested"}
    opened = SharingState(before, {"11": "organization"})
    back, kept = undone(opened, SharingState(applied, people), SharingState(now, people))
    assert (back.organization, [each.field for each in kept if each.subject == ""]) == (after, left_alone)
    assert back.members == ({} if left_alone else {"11": "organization"}), "a person's level opens, too"
    assert [each.subject for each in kept if each.field == "ticket_restriction"] == ["11"] * bool(left_alone)
