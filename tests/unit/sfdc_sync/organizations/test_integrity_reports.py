"""What each report finds (docs/rules.md S9), and what becomes of findings from run to run."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from sfdc_sync.integrity.findings import Weighed, summary
from sfdc_sync.integrity.reports import BY_PRODUCT, REPORTS, Facts, Finding, judge
from sfdc_sync.organizations.links import World
from sfdc_sync.organizations.model import Gone, Organization
from sfdc_sync.policy.ignored import Ignored, IgnoreList
from sfdc_sync.policy.organizations import OrganizationsPolicy, PlanPolicy
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import A, B, account, organization, world

POLICY = OrganizationsPolicy(back_reference=None)


def found(
    given: World, products: dict[str, str] | None = None, policy: OrganizationsPolicy = POLICY
) -> dict[str, list[str]]:
    """Keys of the findings by report."""
    findings, _ = judge(Facts(given, policy, products if products is not None else {}))
    keys: dict[str, list[str]] = {}
    for each in findings:
        keys.setdefault(each.report, []).append(each.key)
    return keys


@dataclass(frozen=True)
class Case:
    name: str
    given: World
    expected: dict[str, list[str]]
    products: dict[str, str] | None = None
    policy: OrganizationsPolicy = POLICY


def with_domains(*domains: str) -> Organization:
    return replace(organization(of=A), domains=domains)


BACK = OrganizationsPolicy()
CASES = [
    Case("all is well", world([account()], [organization(of=A)]), {}),
    Case("dotcom", world([account()]), {"missing_zendesk_org_dotcom": [A]}, {A: "GitLab.com"}),
    Case(
        "self-managed, among several",
        world([account()]),
        {"missing_zendesk_org_self_managed": [A]},
        {A: "Other; self-MANAGED"},
    ),
    Case(
        "both",
        world([account()]),
        {"missing_zendesk_org_dotcom": [A], "missing_zendesk_org_self_managed": [A]},
        {A: "GitLab.com;Self-managed"},
    ),
    Case("another product", world([account()]), {}, {A: "Consulting"}),
    Case("expired", world([account(support_level="expired")]), {}, {A: "GitLab.com"}),
    Case("no customer", world([account(wanted=False)]), {}, {A: "GitLab.com"}),
    Case(
        "an organization of the same name is not linked yet",
        world([account()], [organization(support_level="gold")]),
        {"missing_zendesk_org_dotcom": [A], "no_salesforce_id": ["1"]},
        {A: "GitLab.com"},
    ),
    Case(
        "no plan",
        world([], [organization(support_level=None)]),
        {"no_support_level": ["1"], "no_salesforce_id": ["1"]},
    ),
    Case(
        "no plan, of one that is nobody's customer",
        world([], [organization(support_level=None)]),
        {},
        policy=POLICY.model_copy(update={"protected": ("1",)}),
    ),
    Case(
        "another plan",
        world([account()], [organization(of=A, support_level="gold")]),
        {"support_level_mismatch": ["1"]},
    ),
    Case(
        "no plan, and Salesforce has one",
        world([account()], [organization(of=A, support_level=None)]),
        {"support_level_mismatch": ["1"], "no_support_level": ["1"]},
    ),
    Case(
        "another name", world([account(name="Acme Inc")], [organization(of=A)]), {"org_name_mismatch": ["1"]}
    ),
    Case("only case and blanks", world([account(name=" ACME ")], [organization(of=A)]), {}),
    Case(
        "accounts of one name",
        world([account(A), account(B, "ACME")], [organization(of=A)]),
        {"repeat_records_in_salesforce": [f"name:{A}+{B}"]},
    ),
    Case(
        "accounts that name one organization",
        world([account(A, back="1"), account(B, "B", back="1")], [organization()]),
        {
            "repeat_records_in_salesforce": [f"organization:{A}+{B}"],
            "link_broken": [f"several_claims:{A}+{B}+1"],
            "no_salesforce_id": ["1"],
            "no_support_level": ["1"],
        },
    ),
    Case(
        "two organizations of one id",
        world([account()], [organization("1", of=A), organization("2", "B", of=A)]),
        {"link_broken": [f"repeat_organizations:{A}+1+2"]},
    ),
    Case(
        "back reference",
        world([account(back="7")], [organization(of=A)]),
        {"link_broken": ["back_reference:1"]},
        policy=BACK,
    ),
    Case("back reference holds", world([account(back="1")], [organization(of=A)]), {}, policy=BACK),
    Case("merged", world([account(B, "B")], [organization(of=A)], [Gone(A, B)]), {"merged_account": ["1"]}),
    Case(
        "merged, both have one",
        world([account(B, "B")], [organization("1", of=A), organization("2", "B", of=B)], [Gone(A, B)]),
        {"merged_account": ["1"]},
    ),
    Case("marked", world([], [organization(of=A, marked_for_review=True)], [Gone(A)]), {"marked": ["1"]}),
    Case(
        "domains",
        world([account()], [with_domains("acme.example", "gmail.com", "a b")]),
        {"domain_malformed": ["1:a b", "1:gmail.com"]},
    ),
]


@for_each("case", CASES)
def test_reports(case: Case) -> None:
    expected = {name: sorted(keys) for name, keys in case.expected.items()}
    assert {
        name: sorted(keys) for name, keys in found(case.given, case.products, case.policy).items()
    } == expected


def test_what_cannot_be_judged_is_said_and_never_fixed() -> None:
    _, not_judged = judge(Facts(world([account()]), POLICY, None))
    assert tuple(not_judged) == BY_PRODUCT
    _, not_judged = judge(Facts(world([account()], complete=False), POLICY, {}))
    assert tuple(not_judged) == BY_PRODUCT


def test_a_finding_has_both_values_and_the_command_that_mends_it() -> None:
    (finding,), _ = judge(Facts(world([account()], [organization(of=A, support_level="gold")]), POLICY, {}))
    assert (finding.account_id, finding.organization_id) == (A, "1")
    assert (finding.salesforce, finding.zendesk) == ("premium", "gold")
    assert finding.remedy == "sfdc-sync check --repair support_level_mismatch:1"
    assert finding.severity == "high"


def test_the_plan_is_whatever_field_the_rules_name() -> None:
    policy = OrganizationsPolicy(back_reference=None, plan=PlanPolicy(field="account_type"))
    given = world([account(account_type="customer")], [organization(of=A, account_type="partner")])
    assert found(given, policy=policy) == {"support_level_mismatch": ["1"]}


def finding(key: str, report: str = "marked") -> Finding:
    return Finding(report, key, key)


def row(ignored: str | None = None) -> dict[str, Any]:
    return {"ignored": ignored}


def test_new_fixed_and_open_are_counted_per_report_and_what_is_ignored_is_none_of_them() -> None:
    known = {("marked", "old"): row(), ("marked", "gone"): row(), ("marked", "hushed, gone"): row("because")}
    now = [Weighed(finding("old"), 2), Weighed(finding("new"), 1), Weighed(finding("hushed"), 9, "because")]
    gone = [("marked", "gone"), ("marked", "hushed, gone")]
    (report,) = summary(now, known, gone, ["marked"])
    assert (report.new, report.fixed, report.open, report.ignored, report.tickets) == (1, 1, 2, 1, 3)


def test_a_finding_that_is_not_ignored_any_more_is_new() -> None:
    (report,) = summary([Weighed(finding("x"))], {("marked", "x"): row("until yesterday")}, [], ["marked"])
    assert (report.new, report.open) == (1, 1)


@pytest.mark.parametrize(
    ("about", "until", "expected"),
    [
        ("1", "2026-03-01", True),
        (A, "2026-03-01", True),
        ("*", "2026-03-01", True),
        ("1", "2026-02-28", False),
        ("2", "2027-01-01", False),
    ],
)
def test_an_entry_of_the_ignore_list_holds_until_its_last_day(
    about: str, until: str, *, expected: bool
) -> None:
    entry = Ignored(report="marked", about=about, reason="known", until=date.fromisoformat(until))
    reason = IgnoreList([entry]).reason("marked", (A, "1"), date(2026, 3, 1))
    assert (reason is not None) is expected
    assert IgnoreList([entry]).reason("no_salesforce_id", (A, "1"), date(2026, 3, 1)) is None


def test_every_report_has_a_judge() -> None:
    _, not_judged = judge(Facts(world(), POLICY, {}))
    assert not_judged == []
    assert len(REPORTS) == 11
