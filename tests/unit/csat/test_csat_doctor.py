"""What the doctor makes of an account's answers, of business rules and of a project's roles. No I/O."""

from typing import Any

from csat.operations.gitlab_checks import feedback_check, labels
from csat.operations.survey_triggers import asks, judge
from csat.operations.zendesk_checks import may_export, rights
from csat.policy.csat import CsatPolicy
from csat.policy.feedback import FeedbackPolicy
from tests.support.for_each import for_each

AUTOMATION = {
    "title": "Request customer satisfaction rating (system automation)",
    "actions": [{"field": "satisfaction_score", "value": "offered"}],
    "conditions": {"all": [{"field": "SOLVED", "operator": "is", "value": "24"}], "any": []},
}
TELLING = {
    "title": "Tell csat",
    "actions": [
        {"field": "notification_webhook", "value": ["1", '{"rating": "{{satisfaction.current_rating}}"}']}
    ],
}
TAGGING = {"title": "Tag", "actions": [{"field": "current_tags", "value": "csat_survey_sent"}]}
ON_TAG = AUTOMATION | {
    "conditions": {"all": [{"field": "current_tags", "operator": "includes", "value": "csat_survey_sent x"}]}
}
OFF_TAG = AUTOMATION | {
    "conditions": {
        "all": [{"field": "current_tags", "operator": "not_includes", "value": "csat_survey_sent"}]
    }
}


@for_each(
    "rule, verdict", [(AUTOMATION, True), (TELLING, False), (TAGGING, False), ({}, False), (ON_TAG, True)]
)
def test_which_rules_ask(rule: dict[str, Any], verdict: bool) -> None:
    assert asks(rule) is verdict


@for_each(
    "ask_by, rules, verdict, words",
    [
        ("hosted", [TELLING, TAGGING], "ok", "none of 2"),
        ("hosted", [AUTOMATION], "failed", "Request customer satisfaction rating"),
        ("hosted", [ON_TAG], "failed", "still active"),
        ("native", [ON_TAG], "ok", "on the tag csat_survey_sent"),
        ("native", [AUTOMATION, ON_TAG], "failed", "without waiting for the tag"),
        ("native", [OFF_TAG], "failed", "without waiting for the tag"),
        ("native", [TELLING], "failed", "no active automation or trigger asks"),
    ],
)
def test_nobody_is_asked_twice_or_never(
    ask_by: Any, rules: list[dict[str, Any]], verdict: str, words: str
) -> None:
    found = judge(rules, CsatPolicy(ask_by=ask_by))
    assert (found.verdict, words in found.detail) == (verdict, True), found
    assert bool(found.remedy) == (verdict != "ok")


USER = {"id": 1, "role": "agent", "suspended": False, "ticket_restriction": None}


@for_each(
    "changes, native, verdict, words",
    [
        ({}, False, "ok", "comment and tag"),
        ({"role": "end-user"}, False, "failed", "an end-user"),
        ({"id": None, "role": "end-user"}, False, "failed", "of nobody"),
        ({"suspended": True}, False, "failed", "suspended"),
        ({"ticket_restriction": "groups"}, False, "failed", "sees only some tickets"),
        ({"only_private_comments": True}, False, "failed", "private comments only"),
        ({"only_private_comments": True}, True, "ok", "may tag"),
        ({"custom_role_id": 7}, False, "warning", "custom role"),
        ({"role": "admin", "custom_role_id": 7}, False, "ok", "comment and tag"),
    ],
)
def test_what_the_user_may(changes: dict[str, Any], native: bool, verdict: str, words: str) -> None:
    last = rights(USER | changes, native=native)[-1]
    assert (last.verdict, words in last.detail) == (verdict, True), last


def test_gaps_are_found_by_administrators_alone() -> None:
    assert [each.verdict for each in may_export(USER, wanted=True)] == ["warning"]
    assert not may_export(USER, wanted=False)
    assert not may_export(USER | {"role": "admin"}, wanted=True)


@for_each(
    "project, group, verdict",
    [
        (20, None, "ok"),
        (15, None, "ok"),
        (10, None, "failed"),
        (None, 30, "ok"),
        (10, 30, "ok"),
        (None, None, "warning"),
    ],
)
def test_labels_need_a_role(project: int | None, group: int | None, verdict: str) -> None:
    access = {
        "project_access": project and {"access_level": project},
        "group_access": group and {"access_level": group},
    }
    assert labels({"permissions": access}).verdict == verdict


async def test_a_project_without_a_gitlab_is_a_mistake_and_neither_is_a_choice() -> None:
    [half] = await feedback_check(None, FeedbackPolicy(project="1")).look()
    [neither] = await feedback_check(None, FeedbackPolicy()).look()
    assert (half.verdict, neither.verdict) == ("failed", "skipped")
