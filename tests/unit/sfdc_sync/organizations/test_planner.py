"""What is to be done, value by value (docs/rules.md S5-S8)."""

from dataclasses import replace
from typing import Any

import pytest

from sfdc_sync.organizations.model import FIELD, Action, Change, Gone, Item, Organization, Plan, Value, same
from sfdc_sync.organizations.planner import Options, Planner, left_over
from sfdc_sync.policy.organizations import OrganizationsPolicy
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import POLICY, A, B, C, account, organization, world


def plan(*given: Any, create: bool = False, relink: bool = True, **policy: Any) -> Plan:
    return Planner(OrganizationsPolicy(**policy), Options(create, relink)).plan(world(*given))


def only(found: Plan) -> Item:
    (item,) = found.items
    return item


def changed(item: Item) -> dict[str, tuple[Value, Value]]:
    return {change.key: (change.before, change.after) for change in item.changes}


def test_an_organization_that_is_right_costs_nothing() -> None:
    found = plan([account(aar=12)], [organization(of=A, aar=12.0, notes="ours")])
    assert (found.items, found.unchanged, found.linked) == ((), 1, 1)


def test_a_wrong_plan_is_corrected_its_tag_goes_and_the_sla_is_told() -> None:
    item = only(
        plan(
            [account(support_level="ultimate")],
            [organization(of=A, support_level="starter", tags=("vip", "starter"))],
        )
    )
    assert (item.action, item.rule, item.sla) == (Action.UPDATE, "salesforce_id", "standard -> priority")
    assert changed(item) == {
        "field:support_level": ("starter", "ultimate"),
        "tags": ("vip starter", "vip ultimate"),
    }


@for_each(
    "tags, expected",
    [((), None), (("premium", "x"), None), (("gold", "premium"), "premium"), (("x", "gold"), "x premium")],
)
def test_only_tags_of_other_plans_are_touched(tags: tuple[str, ...], expected: str | None) -> None:
    found = plan([account()], [organization(of=A, tags=tags)])
    assert [each.after for item in found.items for each in item.changes] == ([expected] if expected else [])


def test_tags_stay_where_the_rules_say_so_or_the_plan_is_unknown() -> None:
    given = ([account()], [organization(of=A, tags=("gold",))])
    assert plan(*given, plan={"remove_stale_tags": False}).items == ()
    unknown = account()
    del unknown.target["support_level"]  # type: ignore[attr-defined]  # a dict of this test's
    assert plan([unknown], given[1]).items == ()


def test_a_new_organization_has_everything_in_its_first_call() -> None:
    item = only(plan([account(name="New", seats_decimal=5, market_segment=None)], create=True))
    assert item.action is Action.CREATE
    assert changed(item) == {
        "name": (None, "New"),
        "external_id": (None, A),
        "field:salesforce_id": (None, A),
        "field:support_level": (None, "premium"),
        "field:seats_decimal": (None, 5),
    }


def test_a_run_that_creates_nothing_names_what_is_missing() -> None:
    found = plan([account()])
    assert (only(found).action, found.writes) == (Action.MISSING, [])


def test_adopting_writes_the_id_and_every_field() -> None:
    item = only(plan([account()], [organization(market_segment="ours")]))
    assert (item.action, item.rule) == (Action.ADOPT, "name")
    assert changed(item) == {
        "field:salesforce_id": (None, A),
        "field:support_level": (None, "premium"),
        "external_id": (None, A),
    }


def test_a_relink_is_done_or_proposed() -> None:
    given = ([account(B, "B")], [organization(of=A)], [Gone(A, B)])
    item = only(plan(*given))
    assert (item.action, changed(item)) == (
        Action.RELINK,
        {"field:salesforce_id": (A, B), "external_id": (A, B)},
    )
    proposed = only(plan(*given, relink=False))
    assert (proposed.action, proposed.rule, proposed.changes) == (Action.CONFLICT, "relink_proposed", ())


SHARED = replace(organization(of=A), shared=True)
OTHER = organization("2", "B", of=B)
REQUEST = {"1": "request 7"}


@for_each(
    "organizations, gone, granted, told",
    [
        ([SHARED], [Gone(A, B)], {}, ["shared_tickets is on: agreed with", "have it confirmed"]),
        ([organization(of=A)], [Gone(A, B)], REQUEST, ["request 7: agreed with", "have it confirmed"]),
        ([SHARED], [Gone(A, B)], REQUEST, ["request 7; shared_tickets is on: agreed with"]),
        ([SHARED, OTHER], [Gone(A, B)], {}, ["is lost when", "into 2 (B)", "where nothing is shared"]),
        ([SHARED, replace(OTHER, shared=True)], [Gone(A, B)], {}, ["where shared_tickets is on"]),
        ([SHARED], [Gone(A, C), Gone(C, B)], {}, [f"merged into {B}"]),
        ([organization(of=A)], [Gone(A, B)], {}, None),  # nothing was shared
        ([SHARED], [], {}, None),  # nothing was merged
        ([SHARED], [Gone(A)], {}, None),  # deleted, and nobody has inherited
        ([SHARED], [Gone(A, C), Gone(C)], {}, None),
        ([organization(of=A), replace(OTHER, shared=True)], [Gone(A, B)], {}, None),  # the winner's own stays
    ],
)
def test_sharing_that_a_merge_of_accounts_does_not_carry_over_is_told_and_nothing_is_done_about_it(
    organizations: list[Organization], gone: list[Gone], granted: dict[str, str], told: list[str] | None
) -> None:
    given = replace(world([account(B, "B")], organizations, gone), granted=granted)
    found = [each for each in Planner(POLICY).plan(given).items if each.action is Action.SHARING]
    if told is None:
        assert found == []
        return
    (item,) = found
    assert (item.account_id, item.organization_id, item.changes, item.others[0]) == (B, "1", (), A)
    assert [words for words in told if words not in item.reason] == []
    assert item not in Planner(POLICY).plan(given).writes


def test_whoever_has_no_account_is_marked_once_and_unmarked_when_it_is_back() -> None:
    gone = only(plan([], [organization(of=A)], [Gone(A)]))
    assert (gone.action, gone.rule, gone.changes) == (
        Action.MARK,
        "account_deleted",
        (Change(FIELD + "marked_for_review", None, True),),
    )
    assert plan([], [organization(of=A, marked_for_review=True)], [Gone(A)]).items == ()
    assert plan([], [organization(of=A)], [Gone(A)], protected=("1",)).items == ()
    back = only(plan([account()], [organization(of=A, marked_for_review=True)]))
    assert changed(back) == {"field:marked_for_review": (True, False)}


@for_each(
    "held, expected",
    [("", A), (None, A), (B, A), ("acme-17", None), (A, None), (A.lower(), None), (A[:15], None)],
)
def test_an_external_id_of_somebody_elses_making_stays(held: str | None, expected: str | None) -> None:
    item = replace(organization(of=A), external_id=held)
    written = [each.after for found in plan([account()], [item]).items for each in found.changes]
    assert written == ([expected] if expected else [])


def test_names_are_synced_only_when_told() -> None:
    given = ([account(name="New name")], [organization(of=A)])
    assert plan(*given).items == ()
    assert changed(only(plan(*given, sync_name=True))) == {"name": ("Acme", "New name")}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "", True), (None, False, True), (None, 0, False), (0, None, False), (12, 12.0, True), (True, 1, False),
        (" a ", "a", True), ("a", "A", False), (False, True, False), ("12", 12, True),
        ("12.50", 12.5, True), ("12.5", 12, False), ("many", 12, False), ("007", "7", False),
        ("2026-03-31T00:00:00+00:00", "2026-03-31", True), ("2026-03-31T00:00:00Z", "2026-03-31", True),
        ("2026-03-31T02:00:00+00:00", "2026-03-31", False), ("2026-04-01T00:00:00+00:00", "2026-03-31", False),
    ],
)  # fmt: skip
def test_what_counts_as_the_same_value(before: Value, after: Value, *, expected: bool) -> None:
    assert same(before, after) is expected


@for_each(
    "delta, creates, waiting, expected",
    [
        (True, True, (), {A, B}),  # a delta sees only what changed: who it could not settle is read again
        (True, False, (), set()),  # runs that make none leave it to a person
        (False, True, (), set()),  # a full compare is no reason to make thousands
        (False, True, (A,), {A}),  # but whoever waits for the delta goes on waiting
        (False, True, (C,), set()),
    ],
)
def test_who_could_get_no_organization_is_looked_at_again(
    delta: bool, creates: bool, waiting: tuple[str, ...], expected: set[str]
) -> None:
    twins = plan([account(A), account(B, " acme")])
    assert set(left_over(twins, waiting, creates=creates, delta=delta)) == expected
    claims = plan([account(A, back="1"), account(B, "Other", back="1")], [organization()])
    assert set(left_over(claims, waiting, creates=creates, delta=delta)) == expected
    linked = plan([account(C, aar=1)], [organization(of=C)])
    assert left_over(linked, waiting, creates=creates, delta=delta) == {}
