"""Nine fields, their types, the plan and its end, overrides (docs/rules.md S7)."""

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sfdc_sync.organizations.fields import Unmappable, account_of, mapped
from sfdc_sync.organizations.model import Value
from sfdc_sync.policy.organizations import (
    OrganizationField,
    OrganizationsPolicy,
    PlanPolicy,
    Subscriptions,
)
from sfdc_sync.policy.overrides import Override, Overrides
from tests.support.for_each import for_each

TODAY = date(2026, 3, 1)
ROW: dict[str, Any] = {
    "Id": "001D000000IqhSL",
    "Name": "  Groablet  Enterprises ",
    "Type": "Customer",
    "Owner": {"attributes": {}, "Name": "Jo Owner"},
    "CARR_This_Account__c": 120000.505,
    "Number_of_Licenses_This_Account__c": 250.0,
    "Market_Segment__c": "Large",
    "Support_Level__c": "Ultimate",
    "Technical_Account_Manager__r": None,
    "Ultimate_Parent_Sales_Segment_Employees__c": "",
    "Zendesk__Zendesk_Organization_Id__c": "8447346623000",
}


def read(
    policy: OrganizationsPolicy | None = None, overrides: Overrides | None = None, **changes: object
) -> Any:
    return account_of({**ROW, **changes}, policy or OrganizationsPolicy(), overrides or Overrides(), TODAY)


def test_the_nine_fields_of_the_handbook() -> None:
    found = read()
    assert (found.id, found.name, found.wanted) == ("001D000000IqhSLIAZ", "Groablet Enterprises", True)
    assert found.back_reference == "8447346623000"
    assert found.target == {
        "account_owner": "Jo Owner",
        "aar": 120000.5,
        "salesforce_id": "001D000000IqhSLIAZ",
        "seats_decimal": 250,
        "market_segment": "Large",
        "support_level": "ultimate",
        "technical_account_manager": None,
        "sales_segmentation": None,
        "account_type": "customer",
    }


def test_names_of_fields_are_read_in_salesforces_spelling() -> None:
    """Not found letter by letter, they would look empty, and be emptied in Zendesk."""
    policy = OrganizationsPolicy()
    odd = {
        key: rule.model_copy(update={"source": rule.source.swapcase()}) for key, rule in policy.fields.items()
    }
    odd["salesforce_id"] = policy.fields["salesforce_id"]
    rules = {"fields": odd, "back_reference": "zendesk__zendesk_organization_id__c", "types": ("CUSTOMER",)}
    assert read(policy.model_copy(update=rules)) == read()


@for_each(
    "missing, key",
    [
        ("Market_Segment__c", "market_segment"),
        ("Support_Level__c", "support_level"),
        ("Owner", "account_owner"),
    ],
)
def test_what_is_not_in_the_answer_is_unknown_and_never_empty(missing: str, key: str) -> None:
    row = {name: value for name, value in ROW.items() if name != missing}
    found = account_of(row, OrganizationsPolicy(), Overrides(), TODAY)
    assert key not in found.target
    assert found.notes == (f"{key}: is not in Salesforce's answer; left as it is",)


def test_a_name_of_its_own_for_zendesk_and_else_the_accounts() -> None:
    policy = OrganizationsPolicy(name="Zendesk__Zendesk_Organization__c")
    for own, name in (
        ("Groablet (EMEA)", "Groablet (EMEA)"),
        (None, "Groablet Enterprises"),
        (" ", "Groablet Enterprises"),
    ):
        assert read(policy, Zendesk__Zendesk_Organization__c=own).name == name


def field(kind: str, **more: Any) -> OrganizationField:
    return OrganizationField(source="X__c", type=kind, **more)


PLANS = {"Gold": "gold", "Silver": "silver"}


@for_each(
    "rule, raw, expected",
    [
        (field("text"), " a ", "a"),
        (field("text", max_length=3), "abcdef", "abc"),
        (field("text"), None, None),
        (field("decimal"), "12.345", 12.34),
        (field("decimal", rounding="half_up"), "12.345", 12.35),
        (field("decimal", rounding="down"), 12.349, 12.34),
        (field("decimal", places=0), 12.5, 12),
        (field("integer"), 3.0, 3),
        (field("checkbox"), None, False),
        (field("checkbox"), True, True),
        (field("checkbox", true_when=("Restricted Party",)), "Restricted Party", True),
        (field("checkbox", true_when=("Restricted Party",)), "Unknown", False),
        (field("date"), "2026-05-04T00:00:00.000+0000", "2026-05-04"),
        (field("dropdown", values=PLANS), "gold ", "gold"),
        (field("dropdown", values=PLANS), "", None),
    ],
)
def test_a_value_takes_the_form_of_its_field(rule: OrganizationField, raw: object, expected: Value) -> None:
    assert mapped(raw, rule) == expected


@for_each(
    "rule, raw",
    [
        (field("dropdown", values=PLANS), "Platinum"),
        (field("integer"), "many"),
        (field("decimal"), "NaN"),
        (field("checkbox"), "maybe"),
        (field("date"), "soon"),
    ],
)
def test_what_does_not_fit_is_left_out_and_said_never_emptied(rule: OrganizationField, raw: object) -> None:
    with pytest.raises(Unmappable):
        mapped(raw, rule)


def test_a_label_without_a_tag_leaves_the_field_alone() -> None:
    found = read(Support_Level__c="Platinum")
    assert "support_level" not in found.target
    assert found.notes == (
        "support_level: 'Platinum' is no label of the dropdown (set `values`); left as it is",
    )


@for_each(
    "ends, plan, arr",
    [(None, "ultimate", 120000.5), ("2026-02-14", "ultimate", 120000.5), ("2026-02-13", "expired", 0)],
)
def test_a_plan_counts_until_its_days_of_grace_are_over(ends: str | None, plan: str, arr: float) -> None:
    policy = OrganizationsPolicy(plan=PlanPolicy(ends="Support_Ends__c", expired_sets={"aar": 0}))
    found = read(policy, Support_Ends__c=ends)
    assert (found.target["support_level"], found.target["aar"]) == (plan, arr)


SUBSCRIPTIONS = Subscriptions(
    relationship="Subscriptions__r", status="Status__c", plan="Plan__c", ends="Ends__c"
)


@for_each(
    "rows, plan",
    [
        (
            [("Active", "Silver", None), ("Active", "Ultimate", "2026-02-20"), ("Ended", "Gold", None)],
            "ultimate",
        ),
        ([("Active", "Silver", None), ("Active", "Ultimate", "2026-02-01")], "silver"),
        ([("Ended", "Gold", None)], "expired"),
        ([("Active", "Consulting", None)], "expired"),
        (None, "expired"),
    ],
)
def test_the_plan_is_the_best_living_subscription(rows: list[Any] | None, plan: str) -> None:
    records = [{"Status__c": s, "Plan__c": p, "Ends__c": e} for s, p, e in rows or ()]
    policy = OrganizationsPolicy(plan=PlanPolicy(subscriptions=SUBSCRIPTIONS))
    found = read(policy, Subscriptions__r={"records": records} if rows is not None else None)
    assert found.target["support_level"] == plan


def test_an_account_without_the_list_of_its_subscriptions_is_not_one_without_any() -> None:
    policy = OrganizationsPolicy(plan=PlanPolicy(subscriptions=SUBSCRIPTIONS))
    with pytest.raises(Unmappable):
        read(policy)
    rows = {"records": [{"status__C": "Active", "PLAN__c": "Gold", "ends__c": "2026-12-31"}]}
    assert read(policy, subscriptions__R=rows).target["support_level"] == "gold"


@pytest.mark.parametrize(("until", "plan"), [(date(2026, 3, 1), "gold"), (date(2026, 2, 28), "expired")])
def test_a_reviewed_override_wins_until_its_last_day(until: date, plan: str) -> None:
    entry = Override(
        account="001D000000IqhSLIAZ",
        set={"support_level": "Gold"},
        reason="promised",
        reviewed_by="ada",
        until=until,
    )
    policy = OrganizationsPolicy(plan=PlanPolicy(ends="Support_Ends__c"))
    found = read(policy, Overrides([entry]), Support_Ends__c=str(TODAY - timedelta(days=90)))
    assert found.target["support_level"] == plan


@pytest.mark.parametrize("key", ["Id", "Name"])
def test_an_account_without_id_or_name_is_refused(key: str) -> None:
    with pytest.raises(Unmappable):
        account_of({**ROW, key: ""}, OrganizationsPolicy(), Overrides(), TODAY)


@for_each(
    "wrong",
    [
        {"fields": {"support_level": {"source": "X", "type": "dropdown", "values": {"A": "a"}}}},
        {"plan": {"field": "aar"}},
        {"plan": {"ends": "Ends__c", "expired": "Over"}},
        {"plan": {"expired_sets": {"nothing": 0}}},
        {"fields": {"x": {"source": "X", "values": {"A": "a"}}}},
    ],
)
def test_rules_that_do_not_fit_together_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrganizationsPolicy.model_validate(wrong)
