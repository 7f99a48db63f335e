"""Routing tables: which ticket belongs to which feed (docs/rules.md N3, N4, N8), and what the rules file refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from notifier.policy.conditions import NO_FORM, NameRule, Routable, TagRule, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.settings import SlackSettings
from supportops.config.rules_file import ConfigError, load

SHIPPED = Path("config/supportops.yaml")
YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN


def verdict(rule: FeedRule, form: str | None, tags: set[str] | None, public: bool | None) -> Verdict:
    rules = NotifierPolicy(feeds=(rule,))
    return rules.verdict(rule, Routable(form, None if tags is None else frozenset(tags), public))


def feed(**values: object) -> FeedRule:
    return FeedRule.model_validate({"name": "a", "channel": "C1"} | values)


@pytest.mark.parametrize(
    ("form", "feeds"),
    [
        ("Self-Managed", ["self-managed"]),
        (NO_FORM, ["self-managed"]),
        ("GitLab.com", ["gitlab-com"]),
        ("gitlab.COM ", ["gitlab-com"]),
        ("GitLab.com (SAAS) Account Related Form", ["gitlab-com"]),
        ("GitLab Hosted (GitHost.io)", []),
        ("License Renewals and Upgrades", []),
        ("Accounts Receivable / Refunds", []),
        ("Security Issue", []),
        ("Security Issue (new)", []),
    ],
)
def test_the_shipped_feeds_are_the_handbooks(form: str, feeds: list[str]) -> None:
    rules = load(SHIPPED, "notifier", NotifierPolicy)
    ticket = Routable(form, frozenset(), public=True)
    assert [feed.name for feed in rules.feeds if rules.verdict(feed, ticket) is YES] == feeds


def test_the_demos_feeds_can_be_used() -> None:
    assert load(Path("config/demo.yaml"), "notifier", NotifierPolicy).feeds


INCLUDE, EXCLUDE = feed(forms=NameRule(include=("A",))), feed(forms=NameRule(exclude=("A",)))
TAGGED = feed(tags=TagRule(any=("x", "y"), none=("z",)))
PRIVATE = feed(private_comments=True)


@pytest.mark.parametrize(
    ("rule", "form", "tags", "public", "expected"),
    [
        (INCLUDE, "a", set(), True, YES),
        (INCLUDE, "B", set(), True, NO),
        (INCLUDE, NO_FORM, set(), True, NO),
        (INCLUDE, None, set(), True, UNKNOWN),
        (EXCLUDE, "a", set(), True, NO),
        (EXCLUDE, "B", set(), True, YES),
        (EXCLUDE, NO_FORM, set(), True, YES),
        (EXCLUDE, None, set(), True, UNKNOWN),
        (TAGGED, "B", {"x"}, True, YES),
        (TAGGED, "B", {"x", "z"}, True, NO),
        (TAGGED, "B", set(), True, NO),
        (TAGGED, "B", None, True, UNKNOWN),
        (TAGGED, None, set(), True, NO),
        (feed(), None, None, True, UNKNOWN),
        (feed(), "B", None, True, YES),
        (feed(), "B", set(), False, NO),
        (feed(), "B", set(), None, UNKNOWN),
        (feed(), None, None, False, NO),
        (PRIVATE, "B", set(), False, YES),
        (PRIVATE, "B", set(), None, YES),
        (PRIVATE, "Security Issue", set(), True, NO),
    ],
)
def test_routing(
    rule: FeedRule, form: str | None, tags: set[str] | None, public: bool | None, expected: Verdict
) -> None:
    assert verdict(rule, form, tags, public) is expected


def test_without_secret_forms_the_form_need_not_be_known() -> None:
    rules = NotifierPolicy(feeds=(feed(),), never_forms=())
    assert rules.verdict(rules.feeds[0], Routable(None, None, public=True)) is YES


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("feeds: [{name: a, channel: C1}, {name: a, channel: C2}]", "twice here: a"),
        ("feeds: [{name: a, channel: C1, forms: {include: [Security Issue]}}]", "never_forms forbids"),
        ("feeds: [{name: a, channel: '#general'}]", "channel"),
        ("feeds: [{name: a, channel: C1, updates: reply}]", "'thread' or 'channel'"),
        ("feeds: [{name: a, channel: C1, color: '#000000'}]", "colour"),
        ("feeds: [{name: a, channel: C1, colour: blue}]", "colour"),
        ("comment_length: 100000", "2900"),
        ("fold_window: 5", "90s"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, section: str, complaint: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"notifier:\n  {section}\n")
    with pytest.raises(ConfigError, match=r"rules\.yaml:[12]: notifier") as caught:
        load(path, "notifier", NotifierPolicy)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("values", [{"base_url": "ftp://slack"}, {"timeout": "30s"}, {"timeout": "0s"}])
def test_slack_settings_are_checked(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SlackSettings.model_validate({"token": "xoxb-1"} | values)
    assert "xoxb" not in repr(SlackSettings.model_validate({"token": "xoxb-1"}))
