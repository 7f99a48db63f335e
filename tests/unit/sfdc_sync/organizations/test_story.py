"""What the story of an account says of its link: each of the four rules by itself (docs/rules.md S6)."""

from datetime import UTC, datetime
from typing import Any

from sfdc_sync.operations.organization_story import Story, Subject, standing
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import A

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = {"account_id": A, "name": "Acme", "wanted": True, "refused": None, "notes": None, "seen_at": NOON}
ORGANIZATION = {
    "organization_id": "1",
    "account_id": A,
    "name": "ACME",
    "domains": '["acme.example"]',
    "held": "{}",
    "wanted": None,
    "marked": False,
    "stale": False,
    "deleted_at": None,
    "seen_at": NOON,
}
BROKEN = {
    "report": "link_broken",
    "organization_id": "1",
    "salesforce_value": "9",
    "zendesk_value": "1",
    "gone_since": None,
    "ignored": None,
}


@for_each(
    "organization, findings, expected",
    [
        ({}, [], "salesforce_id holds; back_reference holds; name holds; domain holds"),
        ({"name": "Acme Ltd"}, [], "name does not hold (Acme / Acme Ltd); domain holds"),
        (
            {"domains": '["https://acme"]'},
            [],
            "name holds; domain does not hold (https://acme is no domain name",
        ),
        ({}, [BROKEN], "back_reference does not hold (Salesforce 9, Zendesk 1); name holds"),
        ({}, [BROKEN | {"gone_since": 1}], "back_reference holds"),
        ({}, [BROKEN | {"ignored": "known to us"}], "back_reference holds"),
        ({}, [BROKEN | {"organization_id": "2"}], "back_reference holds"),
    ],
)
def test_each_rule_of_a_link_is_told_by_its_name(
    organization: dict[str, Any], findings: list[dict[str, Any]], expected: str
) -> None:
    story = Story(Subject("account", A), [ACCOUNT], [ORGANIZATION | organization], [], findings)
    assert expected in standing(story)["rules of 1"]


def test_what_nobody_links_has_no_rules() -> None:
    story = Story(Subject("account", A), [ACCOUNT], [ORGANIZATION | {"account_id": None}], [], [])
    assert not [each for each in standing(story) if each.startswith("rules")]
