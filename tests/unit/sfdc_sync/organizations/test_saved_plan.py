"""A plan as a file, what of it still holds, and how a run is undone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sfdc_sync.organizations.model import FIELD, TAGS, Action, Change, Gone, Item, Plan
from sfdc_sync.organizations.planner import Options, Planner
from sfdc_sync.organizations.saved_plan import NotAPlan, PlanDocument, judge_item, parsed, undo_of, written
from tests.unit.sfdc_sync.organizations.worlds import POLICY, A, B, account, organization, world

PLAN_KEY = f"{FIELD}support_level"
UPDATE = Item(
    Action.UPDATE,
    "salesforce_id",
    "Acme",
    A,
    "1",
    (Change(PLAN_KEY, "gold", "premium"), Change(f"{FIELD}aar", None, 12.5)),
)
CREATE = Item(Action.CREATE, "no_organization", "Acme", A, None, (Change(PLAN_KEY, None, "premium"),))
MARK = Item(
    Action.MARK, "account_deleted", "Acme", A, "1", (Change(f"{FIELD}marked_for_review", None, True),)
)


def test_a_plan_is_read_back_as_it_was_written() -> None:
    given = world(
        [account(A, support_level="ultimate"), account(B, "New")],
        [organization(of=A, tags=("premium",)), organization("2", "Gone", of=B[:-3] + "zzz")],
        [Gone(B)],
    )
    plan = Planner(POLICY, Options(create=True)).plan(given)
    document = PlanDocument(datetime(2026, 3, 1, tzinfo=UTC), "00D", "abc", plan, ("why",))
    assert parsed(written(document)) == document


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"version": 1}', b'{"version": 2}', b"\xff"])
def test_another_file_is_no_plan(text: bytes) -> None:
    with pytest.raises(NotAPlan):
        parsed(text)


@pytest.mark.parametrize(
    ("plan", "arr", "verdict", "left"),
    [
        ("gold", None, "holds", [PLAN_KEY, f"{FIELD}aar"]),
        ("premium", None, "holds", [f"{FIELD}aar"]),
        ("premium", 12.5, "already", []),
        ("silver", None, "moved", []),
        ("gold", 7.0, "moved", []),
    ],
)
def test_what_an_organization_holds_by_now(
    plan: str, arr: float | None, verdict: str, left: list[str]
) -> None:
    judged = judge_item(UPDATE, organization(of=A, support_level=plan, aar=arr), account(aar=12.5))
    assert judged.verdict == verdict
    if verdict == "holds":
        assert [change.key for change in judged.item.changes] == left


def test_what_has_moved_is_named_with_both_values() -> None:
    judged = judge_item(UPDATE, organization(of=A, support_level="silver"), account(aar=12.5))
    assert judged.reason == "support_level is 'silver' by now (the plan saw 'gold')"
    judged = judge_item(UPDATE, organization(of=A, support_level="gold"), account(aar=13.0))
    assert judged.reason == "aar is 13.0 in Salesforce by now"


def test_things_that_are_not_there_any_more_have_moved() -> None:
    assert judge_item(UPDATE, None, account()).verdict == "moved"
    assert judge_item(UPDATE, organization(of=A, support_level="gold"), None).verdict == "moved"
    assert judge_item(MARK, organization(of=A), account()).verdict == "moved"
    assert judge_item(MARK, organization(of=A), None).verdict == "holds"


def test_a_creation_holds_while_nobody_has_the_account() -> None:
    assert judge_item(CREATE, None, account()).verdict == "holds"
    assert (
        judge_item(CREATE, organization(of=A), account()).reason
        == "organization 1 holds this account's id by now"
    )
    assert judge_item(CREATE, None, account(support_level="gold")).verdict == "moved"


def test_undoing_puts_back_what_nobody_touched() -> None:
    back = undo_of(UPDATE, organization(of=A, support_level="premium", aar=12.5))
    assert back.item.changes == (Change(PLAN_KEY, "premium", "gold"), Change(f"{FIELD}aar", 12.5, None))
    touched = undo_of(UPDATE, organization(of=A, support_level="silver", aar=12.5))
    assert [change.key for change in touched.item.changes] == [f"{FIELD}aar"]
    assert touched.reason == "touched since, left alone: support_level is 'silver'"
    assert undo_of(UPDATE, organization(of=A, support_level="gold")).verdict == "already"
    assert undo_of(CREATE, None).verdict == "kept"
    assert undo_of(UPDATE, None).verdict == "moved"


def test_tags_are_put_back_as_they_were() -> None:
    item = replace(UPDATE, changes=(Change(TAGS, "vip starter", "vip"),))
    back = undo_of(item, organization(of=A, tags=("vip",)))
    assert back.item.changes == (Change(TAGS, "vip", "vip starter"),)
    assert undo_of(item, organization(of=A, tags=("vip", "new"))).verdict == "moved"


def test_an_empty_plan_has_no_changes() -> None:
    assert Plan(()).counts == {"unchanged": 0}
