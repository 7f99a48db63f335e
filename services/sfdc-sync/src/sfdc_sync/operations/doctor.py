"""What must be true in Salesforce for records to be written (docs/rules.md S4, docs/vendors/salesforce.md#describe), as
code.

The checks run as the integration user, because describe shows what *that* user may see: a field that field-level
security hides is simply absent, just like one that was never created.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sfdc_sync.integrity.prerequisites import ZENDESK_REMEDY, examine_accounts, examine_zendesk
from sfdc_sync.matching.checks import check_matching, objects
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import CommentRecordPolicy, TicketRecordPolicy
from sfdc_sync.salesforce.client import Salesforce, open_salesforce
from sfdc_sync.settings import ZENDESK_SCOPES, Settings
from supportops.clock import Clock, SystemClock
from supportops.errors import Permanent, Retryable
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding, skew_of_date
from supportops.operations.zendesk_checks import account_check, login_check, rights_check
from supportops.vendors.zendesk import open_zendesk

SALESFORCE_REMEDY = (
    "Check SALESFORCE_LOGIN_URL, the client id and secret, and that the app allows client credentials."
)
_HIDDEN = "does not exist, or field-level security hides it from the integration user"
_SETUP = "docs/setup/salesforce.md shows the steps in Salesforce."
_TYPES: Mapping[str, frozenset[str]] = {
    "text": frozenset(
        {"string", "textarea", "picklist", "multipicklist", "combobox", "email", "url", "phone", "id"}
    ),
    "long_text": frozenset({"textarea", "string"}),
    "email": frozenset({"email", "string", "textarea"}),
    "number": frozenset({"double", "int", "long", "currency", "percent"}),
    "currency": frozenset({"currency", "double"}),
    "checkbox": frozenset({"boolean"}),
    "picklist": frozenset({"picklist", "combobox", "string"}),
    "multi_picklist": frozenset({"multipicklist", "string", "textarea"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"datetime"}),
    "reference": frozenset({"reference"}),
}


_WITH_LENGTH = frozenset({"text", "long_text", "email"})
_TARGETS: Mapping[str, str] = {
    "account_id": "Account",
    "organization_salesforce_id": "Account",
    "contact_id": "Contact",
}
_QUOTA = "See what else calls Salesforce's API so often (Setup, System Overview, API Requests)."


_ENUMERATED: Mapping[str, tuple[str, ...]] = {
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
    "priority": ("low", "normal", "high", "urgent"),
}
"""What Zendesk may say where it says one of a few words."""


async def examine(salesforce: Salesforce, policy: SfdcPolicy, clock: Clock) -> list[Finding]:
    """Log in and compare what the rules name with what the integration user sees; what time it is there."""
    try:
        await salesforce.sign_in()
    except (Retryable, Permanent) as error:
        return [Finding("login", "failed", str(error), _SETUP)]
    found = [Finding("login", "ok")]
    record, comments = policy.ticket_record, policy.ticket_record.comments
    wanted = [record.object, *objects(policy.matching), *([comments.object] if comments.enabled else [])]
    described: dict[str, Mapping[str, Any] | None] = {}
    for name in dict.fromkeys(wanted):
        try:
            described[name] = await salesforce.describe(name)
        except (Retryable, Permanent) as error:
            return [*found, Finding(f"object {name}", "failed", str(error), _SETUP)]
    found += await _org(salesforce, clock)
    found += check_record(record, described[record.object])
    found += check_matching(policy.matching, described)
    if comments.enabled:
        found += check_comments(comments, described[comments.object])
    return [*found, await _quota(salesforce, policy)]


async def _org(salesforce: Salesforce, clock: Clock) -> list[Finding]:
    """Which org it is (a sandbox that was refreshed has another id), and what time it is there."""
    began = clock.now()
    try:
        rows = (await salesforce.queries(["SELECT Id, IsSandbox, Name FROM Organization"]))[0]
    except (Retryable, Permanent) as error:
        return [Finding("org", "skipped", str(error))]
    skew = skew_of_date("clock: salesforce", salesforce.date, began, clock.now())
    if not rows:
        return [Finding("org", "skipped", "the integration user may not see the organization's record"), skew]
    kind = "a sandbox" if rows[0].get("IsSandbox") else "a production org"
    return [Finding("org", "ok", f"{rows[0].get('Id')}, {kind}"), skew]


async def _quota(salesforce: Salesforce, policy: SfdcPolicy) -> Finding:
    try:
        daily = (await salesforce.limits()).get("DailyApiRequests")
    except (Retryable, Permanent) as error:  # seeing limits needs a permission of its own
        return Finding("daily requests", "skipped", str(error))
    daily = daily if isinstance(daily, dict) else {}
    words = f"{daily.get('Remaining', '?')} of {daily.get('Max', '?')} left"
    used = salesforce.quota_used
    if used >= policy.quota_share:
        return Finding("daily requests", "failed", f"{words}: tickets wait", _QUOTA)
    if used >= policy.bulk_quota_share:
        return Finding("daily requests", "warning", f"{words}: only tickets go on", _QUOTA)
    return Finding("daily requests", "ok", words)


def check_comments(policy: CommentRecordPolicy, described: Mapping[str, Any] | None) -> list[Finding]:
    """The object of comments, its external id, and the relationship to the ticket's record. Pure."""
    name = f"object {policy.object}"
    if described is None:
        return [Finding(name, "failed", "does not exist, or the integration user may not see it")]
    fields = {str(field.get("name", "")).lower(): field for field in described.get("fields", [])}
    by_relationship = {str(field.get("relationshipName") or "").lower() for field in fields.values()}
    parent = policy.ticket.lower() in by_relationship
    written = [each for each in (policy.body, policy.author, policy.created_at) if each]
    missing = [each for each in written if not fields.get(each.lower(), {}).get("createable")]
    return [
        _open(name, described),
        _external_id(policy.external_id, fields.get(policy.external_id.lower())),
        Finding(f"relationship {policy.ticket}", "ok" if parent else "failed", "" if parent else _HIDDEN),
        *(Finding(f"field {each}", "failed", _HIDDEN) for each in missing),
    ]


def _open(name: str, described: Mapping[str, Any], *more: str) -> Finding:
    flags = ("createable", "updateable", "queryable", *more)
    closed = [flag for flag in flags if not described.get(flag)]
    return Finding(name, "failed" if closed else "ok", f"not {', '.join(closed)}" if closed else "")


def check_record(policy: TicketRecordPolicy, described: Mapping[str, Any] | None) -> list[Finding]:
    """The object, its external id and every mapped field. Pure."""
    name = f"object {policy.object}"
    if described is None:
        return [Finding(name, "failed", "does not exist, or the integration user may not see it")]
    more = ("deletable",) if policy.deleted == "delete" else ()
    findings = [_open(name, described, *more)]
    fields = {str(field.get("name", "")).lower(): field for field in described.get("fields", [])}
    findings.append(_external_id(policy.external_id, fields.get(policy.external_id.lower())))
    findings += [_field(name, rule, fields.get(name.lower())) for name, rule in policy.fields.items()]
    return findings + list(_required(policy, fields))


def _external_id(external_id: str, field: Mapping[str, Any] | None) -> Finding:
    name = f"external id {external_id}"
    if field is None:
        return Finding(name, "failed", _HIDDEN)
    if not field.get("externalId"):
        return Finding(name, "failed", "is not marked as external id")
    if not field.get("unique"):
        return Finding(name, "failed", "is not unique: two writers at once would make two records")
    return Finding(name, "ok")


def _field(name: str, rule: FieldRule, field: Mapping[str, Any] | None) -> Finding:
    check = f"field {name}"
    if field is None:
        return Finding(check, "failed", _HIDDEN)
    if field.get("calculated"):
        return Finding(check, "failed", "is a formula")
    if not (field.get("createable") and field.get("updateable")):
        return Finding(check, "failed", "may not be written by the integration user (field-level security)")
    if field.get("type") not in _TYPES[rule.type]:
        return Finding(check, "failed", f"is of type {field.get('type')}, the rules say {rule.type}")
    target = _TARGETS.get(rule.source)
    if target is not None and rule.type == "reference" and target not in (field.get("referenceTo") or ()):
        there = ", ".join(map(str, field.get("referenceTo") or ())) or "nothing"
        return Finding(check, "failed", f"points at {there}, the rules say {target}")
    return _values(check, rule, field)


def _values(check: str, rule: FieldRule, field: Mapping[str, Any]) -> Finding:
    """Lengths and picklists: what would be refused later, record by record."""
    length = field.get("length") or 0
    if rule.type in _WITH_LENGTH and length and (rule.max_length or length + 1) > length:
        return Finding(check, "warning", f"holds {length} characters: set max_length to {length} or less")
    if not field.get("restrictedPicklist"):
        return Finding(check, "ok")
    allowed = {entry.get("value") for entry in field.get("picklistValues", []) if entry.get("active")}
    unknown = [word for word in dict.fromkeys(_words(rule)) if word not in allowed]
    if unknown:
        return Finding(check, "failed", f"does not allow {', '.join(unknown)}: set values")
    if rule.source not in _ENUMERATED:
        return Finding(
            check, "warning", f"takes {len(allowed)} words only, and {rule.source} may be any text"
        )
    return Finding(check, "ok")


def _words(rule: FieldRule) -> list[str]:
    """The words that will really be sent: Zendesk's own, each as the rule translates it."""
    spare = [] if rule.otherwise is None else [rule.otherwise]
    own = [rule.values.get(word, rule.otherwise or word) for word in _ENUMERATED.get(rule.source, ())]
    return [*own, *rule.values.values(), *spare]


def _required(policy: TicketRecordPolicy, fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Fields that a new record must have and that nobody fills."""
    sent = {name.lower() for name in (*policy.fields, policy.external_id)}
    for name, field in fields.items():
        must = (
            field.get("createable") and field.get("nillable") is False and not field.get("defaultedOnCreate")
        )
        if must and name not in sent:
            yield Finding(f"field {field['name']}", "failed", "is required and not among the rules' fields")


@asynccontextmanager
async def checks(settings: Settings, policy: SfdcPolicy) -> AsyncIterator[Sequence[Check]]:
    """What `sfdc-sync doctor` looks at, beside database and broker."""
    clock = SystemClock()
    metrics, rules = Metrics(), policy.organizations
    async with (
        open_salesforce(settings.salesforce, policy.pauses, metrics) as salesforce,
        open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=metrics) as zendesk,
    ):

        async def look() -> Iterable[Finding]:
            return await examine(salesforce, policy, clock)

        async def look_at_accounts() -> Iterable[Finding]:
            return await examine_accounts(salesforce, rules, clock)

        async def look_at_fields() -> Iterable[Finding]:
            return await examine_zendesk(zendesk.organization_admin, rules)

        yield [
            login_check(settings.zendesk, ZENDESK_SCOPES, clock),
            account_check(settings.zendesk, ZENDESK_SCOPES, clock, policy.organization_salesforce_id),
            rights_check(settings.zendesk, ZENDESK_SCOPES, clock, "failed" if rules.enabled else "warning"),
            Check("salesforce", look, SALESFORCE_REMEDY),
            Check("accounts", look_at_accounts, SALESFORCE_REMEDY),
            Check("organization fields", look_at_fields, ZENDESK_REMEDY),
        ]
