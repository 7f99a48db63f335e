"""`notifier preview` on examples: the picture of a message, why not elsewhere, and mistakes in the file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner
from yaml import safe_load as load_yaml

from notifier.__main__ import app
from notifier.feeds.context import MessageContext
from notifier.operations.preview_commands import Example, notices_of, previews
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from supportops.clock import ManualClock
from supportops.vendors.zendesk import Ticket
from supportops.vendors.zendesk.sla import Probe, SlaTarget
from tests.support.for_each import for_each

POLICY = NotifierPolicy(
    feeds=(
        FeedRule.model_validate(
            {"name": "premium", "channel": "C1", "plans": {"include": ["Premium"]}, "mention": ["S123"]}
            | {"template": "{{ ticket }} <&> {{ title }}"}
        ),
        FeedRule.model_validate({"name": "all", "channel": "C2"}),
    )
)


def test_the_picture_shows_what_people_read() -> None:
    (premium, everything) = previews(POLICY, Example(plan="Premium", title="a < b <!here>"))
    assert premium.document()["picture"].splitlines()[:2] == [
        "@S123 Ticket #12345 [https://example.zendesk.com/agent/tickets/12345] <&> a < b <!here>",
        "  ▌ #4AACD8",
    ]
    assert everything.document()["message"]["channel"] == "C2"
    assert "  ▌ Please run it with --debug." in everything.document()["picture"]


def test_why_not_is_told_and_one_feed_can_be_asked_for() -> None:
    (premium,) = previews(POLICY, Example(plan="Gold"), "premium")
    assert premium.document() == {
        "feed": "premium",
        "message": None,
        "why_not": "plans: the ticket has 'Gold'",
    }
    first = POLICY.model_copy(update={"match": "first"})
    assert [each.why_not for each in previews(first, Example(plan="Premium"))] == [
        "",
        "an earlier feed took it (match: first)",
    ]


BREACHES = NotifierPolicy.model_validate(
    {
        "never_forms": ["Security"],
        "breaches": {
            "rules": [
                {"name": "premium", "channel": "C3", "title": "Under 2hrs", "tags": {"any": ["premium"]}},
                {"name": "rest", "channel": "C4", "title": "Rest", "metrics": ["resolution_time"]},
            ]
        },
    }
)


@for_each(
    "example, shown",
    [
        (
            {"tags": ["premium"], "title": "<!here> down"},
            {
                "premium": "First reply time breaches 2026-01-05 11:00 UTC: Ticket",
                "rest": "the rule premium above",
            },
        ),
        (
            {},
            {
                "premium": "its tags are not those of the rule",
                "rest": "Resolution time breaches 2026-01-05 11:00 UTC: Ticket",
            },
        ),
        ({"status": "solved"}, {"premium": "the ticket is solved", "rest": "the ticket is solved"}),
        ({"form": "Security Issue"}, {"premium": "never_forms", "rest": "never_forms"}),
    ],
)
def test_breach_notices_are_shown_as_well(example: dict[str, Any], shown: dict[str, str]) -> None:
    found = [each.document() for each in previews(BREACHES, Example.model_validate(example))]
    said = {each["breach_rule"]: each.get("picture") or each["why_not"] for each in found}
    assert {name: shown[name] in words for name, words in said.items()} == dict.fromkeys(shown, True)
    if "tags" in example:
        assert said["premium"].splitlines()[0] == "Under 2hrs"
        assert "<!here> down" in said["premium"]
        assert found[0]["message"]["username"] == "Under 2hrs"


NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SAID = [("First Reply Time", "active", NOW + timedelta(hours=1)), ("resolution_time", "achieved", NOW)]


@for_each(
    "facts, form, shown",
    [
        ({"tags": ["premium"]}, "Ours", {"premium": "First reply time breaches 2026-01-05 10:00 UTC"}),
        ({"tags": []}, "Ours", {"rest": "no target of it runs"}),  # which is about another metric
        ({"tags": ["premium"]}, "Security Issue", {"premium": "never_forms"}),
    ],
)
async def test_a_tickets_breach_notices_are_shown(
    facts: dict[str, Any], form: str, shown: dict[str, str]
) -> None:
    async def probe(_: str) -> Probe:
        targets = tuple(SlaTarget(metric=name, stage=stage, breach_at=at) for name, stage, at in SAID)
        return Probe(None, targets, True)

    async def form_of(_: Ticket) -> str:
        return form

    context = SimpleNamespace(
        policy=BREACHES,
        lookups=SimpleNamespace(form_of=form_of),
        zendesk=SimpleNamespace(slas=SimpleNamespace(probe=probe)),
        store=SimpleNamespace(clock=ManualClock(NOW)),
        base_url="https://a.zendesk.com",
    )
    row = {"id": 5, "status": "open", "subject": "Down", "updated_at": NOW} | facts
    found = await notices_of(cast("MessageContext", context), Ticket.model_validate(row), None)
    said = {each.rule.name: each.document().get("picture") or each.why_not for each in found}
    assert {name: words in said[name] for name, words in shown.items()} == dict.fromkeys(shown, True)


EXAMPLES = NotifierPolicy.model_validate(
    load_yaml(Path("config/routing-example.yaml").read_text())["notifier"]
)


@for_each(
    "example, feed, text",
    [
        (
            {"kind": "created", "tags": ["premium"]},
            "premium-new",
            "New premium ticket Ticket #12345 [URL]: Runner",
        ),
        (
            {"kind": "created", "priority": "urgent", "form": "Self-Managed", "plan": "Gold"},
            "urgent-new",
            "@here :rotating_light: New urgent Self-Managed Ticket #12345 [URL]: Runner fails to register (Gold)",
        ),
        (
            {"kind": "tags", "added": ["escalated"]},
            "escalations",
            "@S0ONCALL Ticket #12345 [URL] was escalated by Ada",
        ),
        (
            {"kind": "reassigned", "group": "Tier 2", "before": "Bob", "after": "Cy"},
            "tier-2",
            "Open ticket updated by Ada Agent: Ticket #12345 [URL] Runner fails to register (Example Ltd)"
            " — assigned to Cy instead of Bob",
        ),
        ({"kind": "merged", "after": "7"}, "outcomes", "merged into #7"),
        (
            {"kind": "rated", "after": "bad", "reason": "slow"},
            "bad-ratings",
            "Example Ltd rated Ticket #12345 [URL] bad",
        ),
    ],
)
def test_the_picture_of_each_kind(example: dict[str, Any], feed: str, text: str) -> None:
    found = [each for each in previews(EXAMPLES, Example.model_validate(example)) if each.message is not None]
    assert [each.rule.name for each in found] == [feed]
    first = found[0].document()["picture"].splitlines()[0]
    assert text in first.replace("https://example.zendesk.com/agent/tickets/12345", "URL")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "Invalid JSON"),
        ('{"titel": "x"}', "titel"),
        ('{"kind": "solve"}', "kind"),
        (None, "No such file"),
    ],
)
def test_a_mistake_in_an_example_is_named(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "example.json"
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(app, ["preview", str(path)])
    assert result.exit_code == 2
    assert complaint in " ".join(result.output.split())


def test_a_rule_that_there_is_not_is_told_beside_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "example.json"
    path.write_text("{}")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/none.db")
    result = CliRunner().invoke(app, ["preview", str(path), "--feed", "self-manged"])
    said = " ".join(result.output.split())
    assert (result.exit_code, "no 'self-manged', they have: self-managed" in said) == (2, True), said


def test_an_example_needs_neither_slack_nor_zendesk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "example.json"
    path.write_text(json.dumps({"form": "Security Issue"}))
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/none.db")
    result = CliRunner().invoke(app, ["preview", str(path), "--json"])
    assert result.exit_code == 0, result.output
    assert {each["why_not"] for each in json.loads(result.stdout[result.stdout.index("[") :])} >= {
        "never_forms: the ticket's form is 'Security Issue'"
    }
