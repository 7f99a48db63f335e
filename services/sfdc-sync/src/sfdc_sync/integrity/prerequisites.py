"""What must be true on both sides for accounts to become organizations, as code: fields, types, options, and the org.

While runs are switched off (`organizations.enabled`), what is missing is a warning: nobody needs it yet.
"""

from collections.abc import Iterator, Mapping

from sfdc_sync.organizations.salesforce_side import AccountReader
from sfdc_sync.policy.organizations import FieldType, OrganizationsPolicy
from sfdc_sync.policy.overrides import Overrides
from sfdc_sync.salesforce.client import Salesforce
from supportops.clock import Clock
from supportops.errors import Permanent, Retryable
from supportops.operations.checks import Finding, Verdict
from supportops.vendors.zendesk import OrganizationAdmin, OrganizationFieldDetail

ZENDESK_REMEDY = (
    "Admin Center, People, Configuration, Organization fields: make the field under this key and type."
)
SALESFORCE_REMEDY = "docs/setup/salesforce.md shows the steps in Salesforce."
_TYPES: Mapping[FieldType, frozenset[str]] = {
    "text": frozenset({"text", "textarea", "regexp"}),
    "integer": frozenset({"integer", "decimal"}),
    "decimal": frozenset({"decimal"}),
    "checkbox": frozenset({"checkbox"}),
    "dropdown": frozenset({"dropdown", "tagger"}),
    "date": frozenset({"date"}),
}


async def examine_zendesk(admin: OrganizationAdmin, policy: OrganizationsPolicy) -> list[Finding]:
    """The organization fields that the rules name, as Zendesk has them."""
    try:
        known = await admin.fields()
    except (Retryable, Permanent) as error:
        return [Finding("organization fields", _bad(policy), str(error), ZENDESK_REMEDY)]
    return check_fields(policy, known)


def check_fields(policy: OrganizationsPolicy, known: Mapping[str, OrganizationFieldDetail]) -> list[Finding]:
    """Keys, types and options. Pure."""
    wrong = list(_wrong_fields(policy, known))
    if wrong:
        return wrong
    return [Finding("organization fields", "ok", f"{len(policy.fields) + 1} as the rules say")]


def _wrong_fields(
    policy: OrganizationsPolicy, known: Mapping[str, OrganizationFieldDetail]
) -> Iterator[Finding]:
    wanted: dict[str, FieldType] = {key: rule.type for key, rule in policy.fields.items()}
    for key, kind in (wanted | {policy.marked: "checkbox"}).items():
        name = f"organization field {key}"
        field = known.get(key)
        if field is None or not field.active:
            yield Finding(name, _bad(policy), "does not exist, or is not active", ZENDESK_REMEDY)
        elif field.type not in _TYPES[kind]:
            yield Finding(
                name, _bad(policy), f"is of type {field.type}, the rules say {kind}", ZENDESK_REMEDY
            )
        elif kind == "dropdown" and (missing := set(policy.fields[key].values.values()) - field.options):
            told = f"has no option with the tag {', '.join(sorted(missing))}"
            yield Finding(name, _bad(policy), told, "Add the options, or take the labels out of `values`.")


async def examine_accounts(
    salesforce: Salesforce, policy: OrganizationsPolicy, clock: Clock
) -> list[Finding]:
    """Which org this is, whether every mapped field is readable, and whether the type that we ask for exists."""
    reader = AccountReader(salesforce, policy, Overrides(), lambda: clock.now().date())
    try:
        org = await reader.org()
        await reader.check_readable()
        described = await salesforce.describe("Account") or {}
    except (Retryable, Permanent) as error:
        return [Finding("accounts", _bad(policy), str(error), SALESFORCE_REMEDY)]
    kind = "sandbox" if org.sandbox else "production"
    found = [
        Finding("salesforce org", "ok", f"{org.id}, {kind}"),
        Finding("accounts", "ok", "every field is readable"),
    ]
    types = next((each for each in described.get("fields", []) if each.get("name") == "Type"), None) or {}
    values = {str(each.get("value")) for each in types.get("picklistValues", []) if each.get("active", True)}
    if values and (unknown := set(policy.types) - values):
        there = ", ".join(sorted(values))
        told = f"Account.Type has no value {', '.join(sorted(unknown))}; there are: {there}"
        found.append(Finding("account types", _bad(policy), told, "Set organizations.types."))
    return found


def _bad(policy: OrganizationsPolicy) -> Verdict:
    return "failed" if policy.enabled else "warning"
