"""Whether the integration user can read what matching asks for (docs/vendors/salesforce.md#describe). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from sfdc_sync.policy.matching import MatchingPolicy
from supportops.operations.checks import Finding

type Described = Mapping[str, Mapping[str, Any] | None]

NUMBERS = frozenset({"double", "int", "long", "currency", "percent"})
HIDDEN = "does not exist, or field-level security hides it from the integration user"


def objects(policy: MatchingPolicy) -> list[str]:
    """Whose describe `check_matching` wants: those that matching reads, and that their paths lead to."""
    found = ["Account"] if policy.account.enabled else []
    found += ["Contact"] if policy.contact.enabled else []
    return [*found, "User"] if found else []


def check_matching(policy: MatchingPolicy, described: Described) -> Iterator[Finding]:
    """Every field that a look-up reads or filters by."""
    if not policy.account.enabled:
        yield Finding("matching accounts", "skipped", "is switched off")
    else:
        people = (*policy.account.owner.paths, *policy.account.technical_account_manager.paths)
        names = ["Id", "Name", *([policy.account.organization_id] if policy.account.organization_id else [])]
        yield from _fields("Account", [*names, *people], names, described)
        yield from _type_of_reference(policy, described)
    if not policy.contact.enabled:
        yield Finding("matching contacts", "skipped", "is switched off")
    else:
        active = [policy.contact.active] if policy.contact.active else []
        yield from _fields(
            "Contact", ["Id", "Email", "CreatedDate", "AccountId", *active], ["Email"], described
        )


def _type_of_reference(policy: MatchingPolicy, described: Described) -> Iterator[Finding]:
    """A look-up for a text among numbers, or the other way round, is refused, and then every ticket waits."""
    rules = policy.account
    field = _field(described.get("Account"), "name", rules.organization_id or "")
    if field is None or not field.get("type"):
        return
    found = "number" if field["type"] in NUMBERS else "text"
    if found != rules.organization_id_type:
        remedy = f"set matching.account.organization_id_type: {found}"
        told = f"is of type {field['type']}, the rules say {rules.organization_id_type}: {remedy}"
        yield Finding(f"type of Account.{rules.organization_id}", "failed", told)


def _fields(name: str, paths: list[str], filters: list[str], described: Described) -> Iterator[Finding]:
    if described.get(name) is None:
        yield Finding(f"object {name}", "failed", "does not exist, or the integration user may not see it")
        return
    if not (described[name] or {}).get("queryable"):
        yield Finding(f"object {name}", "failed", "may not be queried by the integration user")
    for path in dict.fromkeys(paths):
        yield _path(name, path, described, filtered=path in filters)


def _path(name: str, path: str, described: Described, *, filtered: bool) -> Finding:
    """A path is followed as far as its objects were described; what lies behind is left to the first query."""
    check = f"field {name}.{path}"
    here = name
    *steps, last = path.split(".")
    for step in steps:
        link = _field(described.get(here), "relationshipName", step)
        if link is None:
            return Finding(check, "failed", f"{step}: {HIDDEN}")
        targets = [
            target for target in link.get("referenceTo") or () if described.get(str(target)) is not None
        ]
        if not targets:
            return Finding(check, "skipped", f"leads to {', '.join(map(str, link.get('referenceTo') or ()))}")
        here = str(targets[0])
    field = _field(described.get(here), "name", last)
    if field is None:
        return Finding(check, "failed", HIDDEN)
    if filtered and field.get("filterable") is False:
        return Finding(check, "failed", "cannot be searched by (a long text, or encrypted)")
    return Finding(check, "ok")


def _field(described: Mapping[str, Any] | None, key: str, value: str) -> Mapping[str, Any] | None:
    fields = (described or {}).get("fields") or ()
    same = (field for field in fields if str(field.get(key) or "").lower() == value.lower())
    return next(same, None)
