"""Routing tables: which ticket belongs to which feed (docs/rules.md N3, N4, N8), and what the rules file refuses."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from notifier.__main__ import app
from notifier.policy.conditions import NO_FORM, NameRule, Routable, TagRule, Verdict
from notifier.policy.kinds import Kind
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.settings import SlackSettings
from supportops.config.rules_file import ConfigError, load
from tests.support import feeds_table
from tests.support.for_each import for_each

SHIPPED = Path("config/supportops.yaml")
YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN


def verdict(rule: FeedRule, form: str | None, tags: set[str] | None, public: bool | None) -> Verdict:
    rules = NotifierPolicy(feeds=(rule,))
    return rules.verdict(rule, Routable(form, None if tags is None else frozenset(tags), public))


def feed(**values: object) -> FeedRule:
    return FeedRule.model_validate({"name": "a", "channel": "C1"} | values)


@for_each(
    "form, feeds",
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


@for_each(
    "form, tags, kind, told",
    [
        ("Self-Managed", {"premium"}, "created", True),
        ("GitLab.com", {"ultimate", "x"}, "created", True),
        ("Self-Managed", {"premium"}, "commented", False),
        ("Self-Managed", {"starter"}, "created", False),
        ("Security Issue", {"premium"}, "created", False),
    ],
)
def test_a_new_ticket_of_a_premium_customer_is_told_in_a_channel_of_its_own(
    form: str, tags: set[str], kind: Kind, told: bool
) -> None:
    rules = load(SHIPPED, "notifier", NotifierPolicy)
    ticket = Routable(form, frozenset(tags), public=True, kind=kind)
    channels = [feed.channel for feed in rules.feeds if rules.verdict(feed, ticket) is YES]
    assert ("zd-premium-feed" in channels) is told


EXAMPLE = Path("config/routing-example.yaml")


@for_each(
    "happened, feeds",
    [
        ({"kind": "created", "tags": frozenset({"premium"})}, {"premium-new"}),
        ({"kind": "created", "priority": "urgent"}, {"urgent-new"}),
        ({"kind": "created", "form": "Accounts Receivable / Refunds", "region": "EMEA"}, {"renewals-new"}),
        ({"kind": "commented", "tags": frozenset({"premium"})}, set()),
        ({"kind": "tags", "added": frozenset({"escalated"})}, {"escalations"}),
        ({"kind": "tags", "added": frozenset({"calm"})}, set()),
        ({"kind": "priority", "priority": "urgent"}, {"made-urgent"}),
        ({"kind": "reassigned", "group": "Tier 2"}, {"tier-2"}),
        ({"kind": "merged"}, {"outcomes"}),
        ({"kind": "spam"}, {"outcomes"}),
        ({"kind": "rated", "score": "bad"}, {"bad-ratings"}),
        ({"kind": "rated", "score": "good"}, set()),
        ({"kind": "commented", "form": "Security Issue", "public": False}, {"security-team"}),
        ({"kind": "created", "form": "Security Issue", "priority": "urgent"}, {"security-team"}),
    ],
)
def test_the_example_of_a_routing_does_what_it_says(happened: dict[str, Any], feeds: set[str]) -> None:
    rules = load(EXAMPLE, "notifier", NotifierPolicy)
    known: dict[str, Any] = {
        "form": "Other",
        "tags": frozenset(),
        "public": True,
        "priority": "low",
        "region": "",
        "group": "",
    }
    ticket = Routable(**(known | {"organization": "", "status": "open"} | happened))
    assert {feed.name for feed in rules.feeds if rules.verdict(feed, ticket) is YES} == feeds


def test_the_rules_page_shows_the_shipped_feeds() -> None:
    page = feeds_table.PAGE.read_text(encoding="utf-8")
    assert page == feeds_table.written(page), "run make generate"
    assert "| `premium-new` | `zd-premium-feed` | created |" in page


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [(EXAMPLE, 0, ""), (Path("config/demo.yaml"), 0, ""), (None, 2, "rules.yaml:3: ")],
)
def test_check_config_says_whether_a_file_can_be_used(
    tmp_path: Path, file: Path | None, code: int, said: str
) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text("notifier:\n  feeds:\n    - {name: a, channel: C1, kinds: [solve]}\n")
    result = CliRunner().invoke(app, ["check-config", str(file or broken)])
    assert (result.exit_code, said in result.output) == (code, True)


def test_the_demos_feeds_can_be_used() -> None:
    assert load(Path("config/demo.yaml"), "notifier", NotifierPolicy).feeds


INCLUDE, EXCLUDE = feed(forms=NameRule(include=("A",))), feed(forms=NameRule(exclude=("A",)))
TAGGED = feed(tags=TagRule(any=("x", "y"), none=("z",)))
PRIVATE = feed(private_comments=True)


@for_each(
    "rule, form, tags, public, expected",
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


@for_each("values", [{"base_url": "ftp://slack"}, {"timeout": "30s"}, {"timeout": "0s"}])
def test_slack_settings_are_checked(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SlackSettings.model_validate({"token": "xoxb-1"} | values)
    assert "xoxb" not in repr(SlackSettings.model_validate({"token": "xoxb-1"}))
