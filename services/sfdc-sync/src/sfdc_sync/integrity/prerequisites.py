"""What must be true on both sides for accounts to become organizations, as code: fields, types, options, and the org.

While runs are switched off (`organizations.enabled`), what is missing is a warning: nobody needs it yet.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sfdc_sync.organizations.salesforce_side import AccountReader
from sfdc_sync.policy.fields import ACCOUNT_PREFIX
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


_TEXTS = frozenset({"string", "textarea"})
_HOLDS_AN_ID = _TEXTS | {"double", "int", "long", "id"}
ID_DIGITS = 14
"""Of Zendesk's organizations, as they are given out today."""

type Fields = Mapping[str, Mapping[str, Any]]
"""Of Account, by the name in lower case, as describe gives them."""


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
    return found + check_account(policy, described)


def check_account(policy: OrganizationsPolicy, described: Mapping[str, Any]) -> list[Finding]:
    """What describe says of Account: types that we ask for, labels of dropdowns, and the kinds of ids. Pure."""
    fields = {str(each.get("name", "")).lower(): each for each in described.get("fields", [])}
    found = [*_types(policy, fields), *_labels(policy, fields), *_ids(policy, described, fields)]
    return found or [Finding("account values", "ok", "types, labels and ids are what the rules take")]


def _types(policy: OrganizationsPolicy, fields: Fields) -> Iterator[Finding]:
    values = _picklist(fields.get("type"))
    if values and (unknown := set(policy.types) - values):
        there = ", ".join(sorted(values))
        told = f"Account.Type has no value {', '.join(sorted(unknown))}; there are: {there}"
        yield Finding("account types", _bad(policy), told, "Set organizations.types.")


def _labels(policy: OrganizationsPolicy, fields: Fields) -> Iterator[Finding]:
    """A label without a tag leaves the organization's field as it is, account by account: better said beforehand."""
    for key, rule in policy.fields.items():
        known = {label.casefold() for label in rule.values}
        values = _picklist(fields.get(rule.source.lower())) if known else set()
        if missing := sorted(each for each in values if each.casefold() not in known):
            told = f"Account.{rule.source} may be {', '.join(missing)}, which has no tag"
            yield Finding(
                f"labels of {key}", "warning", told, f"Add them to organizations.fields.{key}.values."
            )


def _ids(policy: OrganizationsPolicy, described: Mapping[str, Any], fields: Fields) -> Iterator[Finding]:
    """Links are made by ids: those of accounts begin with 001, and an organization's has fourteen digits by now."""
    prefix = described.get("keyPrefix")
    if prefix not in (None, ACCOUNT_PREFIX):
        told = f"ids of Account begin with {prefix}, not with {ACCOUNT_PREFIX}: nothing would be linked"
        yield Finding("account ids", _bad(policy), told, SALESFORCE_REMEDY)
    field = fields.get((policy.back_reference or "").lower())
    if field is None:
        return
    name, kind = f"field Account.{policy.back_reference}", field.get("type")
    if kind not in _HOLDS_AN_ID:
        told = f"is of type {kind}; an organization's id is text or a whole number"
        yield Finding(name, _bad(policy), told, "Set organizations.back_reference, or null.")
    elif kind in _TEXTS and 0 < int(field.get("length") or 0) < ID_DIGITS:
        told = f"holds {field['length']} characters; an organization's id may have {ID_DIGITS}"
        yield Finding(name, "warning", told, "Make the field longer.")


def _picklist(field: Mapping[str, Any] | None) -> set[str]:
    values = (field or {}).get("picklistValues") or ()
    return {str(each.get("value")) for each in values if each.get("active", True)}


def _bad(policy: OrganizationsPolicy) -> Verdict:
    return "failed" if policy.enabled else "warning"
