"""What the doctor says of organization fields: keys, types, options."""

import pytest

from sfdc_sync.integrity.prerequisites import check_fields
from sfdc_sync.policy.organizations import OrganizationsPolicy
from supportops.vendors.zendesk import OrganizationFieldDetail

POLICY = OrganizationsPolicy(enabled=True)
KINDS = {"aar": "decimal", "seats_decimal": "integer", "marked_for_review": "checkbox"}


def known(**changes: dict[str, object]) -> dict[str, OrganizationFieldDetail]:
    """All fields as they should be, but for the changes."""
    found = {}
    for number, key in enumerate((*POLICY.fields, POLICY.marked), start=1):
        rule = POLICY.fields.get(key)
        options = [{"value": tag} for tag in rule.values.values()] if rule else []
        kind = KINDS.get(key, "dropdown" if options else "text")
        row = {
            "id": number,
            "key": key,
            "type": kind,
            "custom_field_options": options,
            **changes.get(key, {}),
        }
        found[key] = OrganizationFieldDetail.model_validate(row)
    return found


def test_fields_as_the_rules_say_are_one_line() -> None:
    assert [each.verdict for each in check_fields(POLICY, known())] == ["ok"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"aar": {"key": "aar", "active": False}},
            "organization field aar: does not exist, or is not active",
        ),
        ({"aar": {"type": "text"}}, "organization field aar: is of type text, the rules say decimal"),
        (
            {"account_type": {"custom_field_options": [{"value": "customer"}]}},
            "organization field account_type: has no option with the tag authorized_reseller, former_customer, "
            "integrator, partner, prospect, reseller, unofficial_reseller",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, dict[str, object]], told: str) -> None:
    (finding,) = check_fields(POLICY, known(**changes))
    assert (finding.verdict, f"{finding.check}: {finding.detail}") == ("failed", told)
    assert finding.remedy
    (finding,) = check_fields(OrganizationsPolicy(), known(**changes))
    assert finding.verdict == "warning", "runs are switched off"


def test_a_missing_field_is_named() -> None:
    fields = known()
    del fields["marked_for_review"]
    (finding,) = check_fields(POLICY, fields)
    assert finding.check == "organization field marked_for_review"
