"""A plan as a file, what of it still holds, and how a run is undone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from sfdc_sync.organizations.model import FIELD, TAGS, Action, Change, Gone, Item, Plan
from sfdc_sync.organizations.planner import Options, Planner
from sfdc_sync.organizations.saved_plan import NotAPlan, PlanDocument, judge_item, parsed, undo_of, written
from tests.support.for_each import for_each
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


def _item(edit: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda head: head["items"][0].update({edit: value})


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a value": lambda head: head["items"][0]["changes"][0].update(after="gold"),
    "a key that is not mapped": lambda head: head["items"][0]["changes"][0].update(key="field:theirs"),
    "a setting": lambda head: head["items"][0]["changes"][0].update(key="shared_tickets"),
    "a key that is a number": lambda head: head["items"][0]["changes"][0].update(key=3),
    "another organization": _item("organization_id", "2"),
    "an organization in words": _item("organization_id", "acme"),
    "an account as a number": _item("account_id", 7),
    "an item twice": lambda head: head["items"].append(head["items"][0]),
    "an item less": lambda head: head["items"].pop(),
    "no counts": lambda head: head.update(counts=None),
    "items as an object": lambda head: head.update(items={"a": 1}),
    "figures in words": lambda head: head.update(read={"accounts": "x", "organizations": 1, "linked": []}),
    "the brake": lambda head: head.update(brake=[]),
    "the org": lambda head: head.update(salesforce_org="00E"),
    "no digest": lambda head: head.pop("digest"),
    "a digest in words": lambda head: head.update(digest=None),
}


@for_each("edit", EDITS)
def test_a_plan_that_was_changed_is_not_applied(edit: str) -> None:
    """What is done is what the brake and a person have looked at."""
    made = PlanDocument(datetime(2026, 3, 1, tzinfo=UTC), "00D", "abc", Plan((UPDATE, MARK)), ("why",))
    head = orjson.loads(written(made))
    EDITS[edit](head)
    with pytest.raises(NotAPlan, match="make a new one"):
        parsed(orjson.dumps(head))


def test_a_plan_says_how_many_rows_nobody_could_read() -> None:
    made = PlanDocument(datetime(2026, 3, 1, tzinfo=UTC), "00D", "abc", Plan((UPDATE,), unreadable=2))
    assert orjson.loads(written(made))["counts"] == {"update": 1, "unchanged": 0, "unreadable": 2}
    assert parsed(written(made)) == made


def test_how_a_plan_is_laid_out_may_change() -> None:
    made = PlanDocument(datetime(2026, 3, 1, tzinfo=UTC), "00D", "abc", Plan((UPDATE,)))
    assert parsed(orjson.dumps(orjson.loads(written(made)))) == made


@for_each("text", [b"", b"[]", b"null", b"{}", b'{"version": 1}', b'{"version": 2}', b"\xff"])
def test_another_file_is_no_plan(text: bytes) -> None:
    with pytest.raises(NotAPlan):
        parsed(text)


@for_each(
    "plan, arr, verdict, left",
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
