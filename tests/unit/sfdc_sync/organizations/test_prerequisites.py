"""What the doctor says of organization fields: keys, types, options."""

from typing import Any

from sfdc_sync.integrity.prerequisites import check_account, check_fields
from sfdc_sync.policy.organizations import OrganizationsPolicy
from supportops.vendors.zendesk import OrganizationFieldDetail
from tests.support.for_each import for_each

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


@for_each(
    "changes, told",
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


BACK = str(POLICY.back_reference)


def described(**changes: Any) -> dict[str, Any]:
    """Account as describe shows it; a change is of a field, or of `keyPrefix`."""
    types = [*POLICY.fields["account_type"].values]
    fields: dict[str, dict[str, Any]] = {
        "Type": {"type": "picklist", "picklistValues": [{"value": each} for each in types]},
        "Support_Level__c": {"type": "picklist", "picklistValues": [{"value": "Gold"}, {"value": "premium"}]},
        BACK: {"type": "string", "length": 255},
    }
    prefix = changes.pop("keyPrefix", "001")
    for name, change in changes.items():
        fields[name] |= change
    return {"keyPrefix": prefix, "fields": [{"name": name, **values} for name, values in fields.items()]}


def test_an_account_as_the_rules_take_it_is_one_line() -> None:
    (finding,) = check_account(POLICY, described())
    assert finding.verdict == "ok"


@for_each(
    "changes, verdict, told",
    [
        (
            {"Type": {"picklistValues": [{"value": "Prospect"}]}},
            "failed",
            "account types: Account.Type has no value Customer; there are: Prospect",
        ),
        (
            {"Support_Level__c": {"picklistValues": [{"value": "Gold"}, {"value": "Platinum"}]}},
            "warning",
            "labels of support_level: Account.Support_Level__c may be Platinum, which has no tag",
        ),
        ({"keyPrefix": "003"}, "failed", "account ids: ids of Account begin with 003, not with 001"),
        (
            {BACK: {"type": "boolean"}},
            "failed",
            f"field Account.{BACK}: is of type boolean; an organization's id is text or a whole number",
        ),
        ({BACK: {"length": 10}}, "warning", f"field Account.{BACK}: holds 10 characters"),
    ],
)
def test_what_no_account_could_be_mapped_by_is_named(
    changes: dict[str, Any], verdict: str, told: str
) -> None:
    (finding,) = check_account(POLICY, described(**changes))
    assert f"{finding.check}: {finding.detail}".startswith(told)
    assert (finding.verdict, bool(finding.remedy)) == (verdict, True)


def test_a_label_that_is_switched_off_or_belongs_to_no_table_is_nobodys() -> None:
    values = [{"value": "Gold"}, {"value": "Old", "active": False}]
    changed = described(Support_Level__c={"picklistValues": values})
    changed["fields"].append({"name": "Market_Segment__c", "picklistValues": [{"value": "Large"}]})
    assert [each.verdict for each in check_account(POLICY, changed)] == ["ok"]
