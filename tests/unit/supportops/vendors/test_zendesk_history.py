"""Where a ticket's tags come from, and whether it was merged: from audits alone."""

from typing import Any

from supportops.vendors.zendesk import Audit, added_at, merged_at, tag_history
from tests.support.for_each import for_each

TAG = "close_by_merge"
SAID = 'This request was closed and merged into request #7 "Printer".'


def audits(*each: list[dict[str, Any]], rel: str | None = None) -> list[Audit]:
    """One audit per list of events; the last one has `rel`."""
    made = [
        {"id": number, "created_at": f"2026-03-0{number}T12:00:00Z", "events": events}
        for number, events in enumerate(each, 1)
    ]
    made[-1]["via"] = {"channel": "web", "source": {"rel": rel}}
    return [Audit.model_validate(one) for one in made]


def born(*tags: str) -> list[dict[str, Any]]:
    return [{"type": "Create", "field_name": "tags", "value": list(tags)}]


def change(before: object, after: object, name: str = "tags") -> dict[str, Any]:
    return {"type": "Change", "field_name": name, "value": after, "previous_value": before}


CLOSED = change("solved", "closed", "status")


def test_tags_of_birth_and_later_ones() -> None:
    history = tag_history(audits(born("a", "b"), [change(["a", "b"], ["a", "c"])]))
    assert history.born_with == {"a", "b"}
    assert history.added_later == {"c"}


def test_a_tag_taken_away_and_put_back_is_the_tickets_own() -> None:
    history = tag_history(audits(born("a"), [change(["a"], [])], [change([], ["a"])]))
    assert history.added_later == {"a"}


def test_a_tag_that_went_again_does_not_count() -> None:
    assert tag_history(audits(born(), [change([], ["a"])], [change(["a"], [])])).added_later == set()


@for_each("value", [None, "", [], 5, {"a": 1}])
def test_values_that_hold_no_tags(value: object) -> None:
    assert tag_history(audits([change(None, value)])).added_later == set()


@for_each(
    "changes, day",
    [
        ([], None),
        ([change(["a"], ["a", "b"])], None),
        ([change(["a"], [])], None),
        ([change(["a"], []), change([], ["a"])], 3),
        ([change(["a"], []), change([], ["a"]), change(["a"], ["a", "b"])], 3),
        ([change(["a"], []), change([], ["a"]), change(["a"], [])], None),
    ],
)
def test_when_a_tag_that_was_inherited_became_the_tickets_own(
    changes: list[dict[str, Any]], day: int | None
) -> None:
    found = added_at(audits(born("a"), *([each] for each in changes)), "a")
    assert (found and found.day) == day


def test_tags_in_one_string() -> None:
    assert tag_history(audits([change("a", "a b")])).added_later == {"b"}


def test_nothing_is_known_of_no_audits() -> None:
    assert tag_history([]) == tag_history(audits([]))
    assert merged_at([], TAG) is None


@for_each(
    "last, rel, merged",
    [
        ([change([TAG], [])], None, False),
        ([change([], [TAG])], None, True),
        ([CLOSED], "merge", True),
        ([CLOSED], None, False),
        ([CLOSED, {"type": "Comment", "body": SAID}], None, True),
        ([{"type": "Comment", "body": SAID}], None, False),
        (
            [{"type": "Comment", "body": "Request #8 was closed and merged into this request."}],
            "merge",
            False,
        ),
        ([CLOSED, {"type": "Comment", "body": f"I read: {SAID}"}], None, False),
        ([{"type": "Unheard", "value": {"x": []}, "body": None, "field_name": 5}], None, False),
    ],
)
def test_a_tickets_own_merge(last: list[dict[str, Any]], rel: str | None, merged: bool) -> None:
    """The first audit is a follow-up's, which inherited the tag of its parent's merge."""
    found = merged_at(audits(born(TAG), last, rel=rel), TAG)
    assert (found is not None) is merged
    if found is not None:
        assert found.day == 2
