"""What an issue says and which labels it gets: docs/rules.md C10 and C11, as tables."""

import pytest
from pydantic import ValidationError

from csat.feedback.issue_content import Subject, Writer, answer_shown, comment_hash, marker_of
from csat.policy.feedback import MANAGERS, PRODUCT, FeedbackPolicy
from csat.ratings.answer import Answer
from tests.support.for_each import for_each

ZENDESK = "https://acme.zendesk.com"
RULES = FeedbackPolicy(teams={MANAGERS: ("@support/managers",), PRODUCT: ("@product-team", "@pat")})
WRITER = Writer(RULES, ZENDESK)
TIMELY = "The answer wasn't delivered in a timely manner"


def subject(
    score: str = "bad", comment: str | None = None, reason: str | None = None, form: str = "", plan: str = ""
) -> Subject:
    return Subject("35436", "rating-1", Answer(score, comment, reason), 1, "Slow", form, plan)  # type: ignore[arg-type]


REASONS = [
    (
        "GitLab doesn't meet my needs",
        ["feedback::product-issue", "reason::GitLab doesn't meet my needs"],
        ("@support/managers", "@product-team", "@pat"),
    ),
    (TIMELY, ["feedback::process", f"reason::{TIMELY}"], ("@support/managers",)),
    ("My issue was not resolved", ["reason::The issue was not resolved"], ("@support/managers",)),
    ("The answer wasn't helpful", ["reason::The answer wasn't helpful"], ("@support/managers",)),
    ("Some other reason", ["reason::Some other reason"], ("@support/managers",)),
    ("a reason of long ago", [], ("@support/managers",)),
    (None, [], ("@support/managers",)),
]
FORMS = [
    ("Accounts Receivable / Refunds", "form::Accounts Receivable"),
    ("License Renewals and Upgrades", "form::Upgrades & Renewals"),
    ("GitLab.com", "form::GitLab.com"),
    ("GitLab.com (SAAS) Account Related Form", "form::GitLab.com"),
    ("Self-Managed", "form::Self-managed"),
    ("Security Issue", "form::Security"),
    ("GitLab Hosted (GitHost.io)", "form::GitHost"),
    ("Community Edition", "form::GitLab Community Edition"),
    ("Refund of a License on GitLab.com", "form::Accounts Receivable"),
    ("Something new", "form::Other"),
    ("", "form::Other"),
]
PLANS = [
    *(
        (plan, "subscription::Customer")
        for plan in ("Premium", "Starter", "Ultimate", "Gold", "Bronze", "Silver")
    ),
    ("premium", "subscription::Customer"),
    ("plan_ultimate_2026", "subscription::Customer"),
    ("Free", "subscription::Free User"),
    ("", "subscription::Free User"),
]


USUAL = ("form::Other", "subscription::Free User")
LABELS = [
    *((reason, "", "", (*USUAL, *of_reason)) for reason, of_reason, _ in REASONS),
    *((None, form, "", (of_form, USUAL[1])) for form, of_form in FORMS),
    *((None, "", plan, (USUAL[0], of_plan)) for plan, of_plan in PLANS),
    (TIMELY, "Security Issue", "Gold", ("form::Security", "subscription::Customer", *REASONS[1][1])),
]


@for_each("reason, form, plan, expected", LABELS)
def test_labels(reason: str | None, form: str, plan: str, expected: tuple[str, ...]) -> None:
    labels = WRITER.labels(subject("bad", None, reason, form, plan))
    assert labels == ("satisfaction::Bad", *expected)
    keys = [label.rpartition("::")[0] for label in labels]
    assert len(keys) == len(set(keys))


def test_a_good_rating_has_no_reason() -> None:
    assert WRITER.labels(subject("good", "thanks", TIMELY)) == (
        "satisfaction::Good",
        "form::Other",
        "subscription::Free User",
    )


@for_each("reason, mentions", [(reason, mentions) for reason, _, mentions in REASONS])
def test_mentions(reason: str | None, mentions: tuple[str, ...]) -> None:
    assert WRITER.mentions(Answer("bad", None, reason)) == mentions
    assert WRITER.mentions(Answer("good", "thanks", reason)) == ()
    assert Writer(FeedbackPolicy(), ZENDESK).mentions(Answer("bad", None, reason)) == ()


def test_a_description() -> None:
    draft = WRITER.draft(subject("bad", "Too late.\n/close @all", TIMELY))
    marker = marker_of("acme.zendesk.com", "35436", "rating-1")
    assert draft.description.split("\n") == [
        "> ```text",
        "> Too late.",
        "> /close @all",
        "> ```",
        "",
        "**Ticket:** [ticket 35436](https://acme.zendesk.com/agent/tickets/35436)",
        "",
        "For the attention of @support/managers",
        "",
        f"Ref: `{marker}` (answer 1)",
    ]
    assert (draft.title, draft.confidential) == ("Slow", True)


def test_a_description_without_a_comment() -> None:
    draft = WRITER.draft(subject("bad"))
    assert draft.description.startswith("The customer left no comment.\n\n**Ticket:**")


def test_notes_show_a_comment_when_it_is_new() -> None:
    given = subject("bad", "Slower than ever", TIMELY)
    assert "> Slower than ever" in WRITER.note(given, with_comment=True)
    silent = WRITER.note(given, with_comment=False)
    assert "Slower" not in silent
    assert "now **Bad**" in silent
    assert "@support/managers" in silent
    assert "@" not in WRITER.note(subject("good"), with_comment=False)


def test_labels_that_another_answer_takes_away() -> None:
    gone = WRITER.withdrawn_labels(Answer("good", "fine"))
    assert "satisfaction::Bad" in gone
    assert "feedback::process" in gone
    assert "satisfaction::Good" not in gone
    assert not [label for label in gone if label.startswith(("form::", "subscription::"))]


def test_the_marker_is_a_plain_word_of_its_own() -> None:
    marker = marker_of("acme.zendesk.com", "35436", "rating-1")
    assert marker.isalnum()
    assert marker.startswith("zdcsat")
    assert len(marker) == 26
    others = {marker_of("b", "35436", "rating-1"), marker_of("acme.zendesk.com", "35437", "rating-1")}
    assert marker not in others


@for_each(
    "text, number",
    [
        ("text\n\nRef: `{m}` (answer 3)", 3),
        ("text\r\nRef: `{m}` (answer 12)\r\nmore", 12),
        ("> Ref: `{m}` (answer 3)", None),
        ("Ref: `{m}0` (answer 3)", None),
        ("Ref: `{m}`", None),
        ("see Ref: `{m}` (answer 3)", None),
        ("", None),
    ],
)
def test_recognised_by_a_whole_line_only(text: str, number: int | None) -> None:
    marker = marker_of("a", "1", "r")
    assert answer_shown(text.replace("{m}", marker), marker) == number


def test_hashes_of_comments() -> None:
    assert comment_hash(None) == comment_hash("") == ""
    assert comment_hash("a") != comment_hash("b")
    assert comment_hash("\ud800")


@for_each(
    "values",
    [
        {"teams": {MANAGERS: ["@all"], PRODUCT: []}},
        {"teams": {MANAGERS: ["@ALL"], PRODUCT: []}},
        {"teams": {MANAGERS: ["managers"], PRODUCT: []}},
        {"teams": {MANAGERS: ["@managers please"], PRODUCT: []}},
        {"teams": {MANAGERS: ["@x\n/close"], PRODUCT: []}},
        {"teams": {MANAGERS: ["@-x"], PRODUCT: []}},
        {"teams": {MANAGERS: []}},
        {"managers": "nobody"},
        {"satisfaction": {"good": "x"}},
        {"satisfaction": {"good": "a,b", "bad": "c"}},
        {"forms": [{"contains": "x", "label": "a,b"}]},
        {"forms": [{"contains": "", "label": "a"}]},
        {"tag": "Feedback Exported"},
        {"issues_per_minute": 0},
        {"project": ""},
        {"unknown": 1},
    ],
)
def test_rules_that_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FeedbackPolicy.model_validate(values)


def test_a_project_by_number_or_path() -> None:
    assert FeedbackPolicy.model_validate({"project": 4}).project == "4"
    assert FeedbackPolicy.model_validate({"project": "group/sub/project"}).project == "group/sub/project"
    assert FeedbackPolicy().project is None


def test_rules_of_another_organization() -> None:
    rules = FeedbackPolicy.model_validate(
        {
            "forms": [{"contains": "Billing", "label": "area::money"}],
            "other_form": "area::rest",
            "routes": {"Too slow": {"labels": ["why::slow"], "team": "speed"}},
            "managers": "leads",
            "teams": {"leads": ["@leads"], "speed": ["@fast/lane"]},
        }
    )
    writer = Writer(rules, ZENDESK)
    labels = writer.labels(subject("bad", None, "Too slow", "billing questions"))
    assert labels == ("satisfaction::Bad", "area::money", "subscription::Free User", "why::slow")
    assert writer.mentions(Answer("bad", None, "Too slow")) == ("@leads", "@fast/lane")
