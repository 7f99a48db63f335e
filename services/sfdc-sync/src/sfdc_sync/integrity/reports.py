"""The reports, under the handbook's names (docs/rules.md S9), and four of ours. Pure.

A finding is named for good by the ids it is about, so that it can be followed from its first day to its last.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sfdc_sync.organizations.links import Links, World, domain_problem, find_links, own_id
from sfdc_sync.organizations.model import Account, Organization, same
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce.names import folded

type Severity = Literal["high", "medium", "low"]

REPORTS: Mapping[str, Severity] = {
    "support_level_mismatch": "high",
    "missing_zendesk_org_dotcom": "high",
    "missing_zendesk_org_self_managed": "high",
    "link_broken": "high",
    "merged_account": "high",
    "repeat_records_in_salesforce": "medium",
    "no_support_level": "medium",
    "no_salesforce_id": "medium",
    "org_name_mismatch": "low",
    "domain_malformed": "low",
    "marked": "low",
}
"""Every report with its severity, the worst first."""

BY_PRODUCT = ("missing_zendesk_org_dotcom", "missing_zendesk_org_self_managed")


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not agree: both ids, both values, and what mends it."""

    report: str
    key: str
    name: str
    account_id: str | None = None
    organization_id: str | None = None
    salesforce: str = ""
    zendesk: str = ""
    remedy: str = ""

    @property
    def severity(self) -> Severity:
        return REPORTS[self.report]


@dataclass(frozen=True)
class Facts:
    """What was read. `products`: account's id -> its product field; None where the rules name no such field."""

    world: World
    policy: OrganizationsPolicy
    products: Mapping[str, str] | None = None
    links: Links = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", find_links(self.world))

    @property
    def pairs(self) -> Iterator[tuple[Account, Organization]]:
        """Accounts with the organizations that hold their ids."""
        return ((link.account, link.organization) for link in self.links.linked)

    def expired(self, account: Account) -> bool:
        """Whether the account's plan is over: nobody misses its organization."""
        plan = self.policy.plan
        return account.target.get(plan.field) == self.policy.fields[plan.field].values.get(plan.expired)


def judge(facts: Facts) -> tuple[list[Finding], list[str]]:
    """Everything that is wrong, in the order of the reports and ids; and the reports that could not be judged."""
    not_judged = list(BY_PRODUCT) if facts.products is None or not facts.world.complete else []
    judged = [name for name in REPORTS if name not in not_judged]
    found = [
        finding for name in judged for finding in sorted(_JUDGES[name](facts), key=lambda each: each.key)
    ]
    return found, not_judged


def _missing(report: str, words: tuple[str, ...], facts: Facts) -> Iterator[Finding]:
    has = {account.id for account, _ in facts.pairs}
    folded_words = {word.casefold() for word in words}
    for account in facts.world.accounts:
        product = (facts.products or {}).get(account.id, "")
        sold = {part.strip().casefold() for part in product.split(";")}
        if account.wanted and account.id not in has and sold & folded_words and not facts.expired(account):
            remedy = _repair(report, account.id)
            yield Finding(report, account.id, account.name, account.id, None, product, "", remedy)


def _mismatch(facts: Facts) -> Iterator[Finding]:
    key = facts.policy.plan.field
    for account, organization in facts.pairs:
        if key in account.target and not same(organization.values.get(key), account.target[key]):
            yield _of_pair("support_level_mismatch", account, organization, key)


def _no_support_level(facts: Facts) -> Iterator[Finding]:
    key = facts.policy.plan.field
    for each in facts.world.organizations:
        if same(None, each.values.get(key)) and each.id not in facts.policy.protected:
            account_id = own_id(each, facts.policy.salesforce_id)
            yield Finding("no_support_level", each.id, each.name, account_id, each.id)


def _no_salesforce_id(facts: Facts) -> Iterator[Finding]:
    for each in facts.world.organizations:
        if own_id(each, facts.policy.salesforce_id) is None and each.id not in facts.policy.protected:
            held = str(each.values.get(facts.policy.salesforce_id) or "")
            yield Finding("no_salesforce_id", each.id, each.name, None, each.id, "", held)


def _name_mismatch(facts: Facts) -> Iterator[Finding]:
    for account, organization in facts.pairs:
        if folded(account.name) != folded(organization.name):
            remedy = _repair("org_name_mismatch", organization.id)
            yield Finding(
                "org_name_mismatch",
                organization.id,
                organization.name,
                account.id,
                organization.id,
                account.name,
                organization.name,
                remedy,
            )


def _repeats(facts: Facts) -> Iterator[Finding]:
    """Accounts of one name, or that name one organization; a finding names them all."""
    groups: dict[tuple[str, str], list[Account]] = defaultdict(list)
    for account in facts.world.accounts:
        if account.wanted:
            groups["name", folded(account.name)].append(account)
            if account.back_reference:
                groups["organization", account.back_reference].append(account)
    for (what, value), twins in groups.items():
        if len(twins) > 1:
            ids = sorted(each.id for each in twins)
            organization_id = value if what == "organization" else None
            yield Finding(
                "repeat_records_in_salesforce",
                f"{what}:{'+'.join(ids)}",
                twins[0].name,
                ids[0],
                organization_id,
                ", ".join(ids),
            )


def _domains(facts: Facts) -> Iterator[Finding]:
    public = facts.policy.integrity.public_domains
    for each in facts.world.organizations:
        for domain in each.domains:
            if problem := domain_problem(domain, public):
                account_id = own_id(each, facts.policy.salesforce_id)
                key = f"{each.id}:{domain}"
                yield Finding(
                    "domain_malformed", key, each.name, account_id, each.id, "", f"{domain} {problem}"
                )


def _broken(facts: Facts) -> Iterator[Finding]:
    """The rules of a link that do not hold: each judged by itself."""
    for account, organization in facts.pairs:
        if facts.policy.back_reference and account.back_reference != organization.id:
            named = account.back_reference or "names no organization"
            yield Finding(
                "link_broken",
                f"back_reference:{organization.id}",
                organization.name,
                account.id,
                organization.id,
                named,
                organization.id,
            )
    for conflict in facts.links.conflicts:
        if conflict.rule in ("ids_disagree", "repeat_organizations", "several_claims", "organization_merged"):
            about = conflict.account or conflict.organization
            account_id = conflict.account.id if conflict.account else None
            organization_id = conflict.organization.id if conflict.organization else None
            ids = sorted({each for each in (account_id, organization_id, *conflict.others) if each})
            key = f"{conflict.rule}:{'+'.join(ids)}"
            name = about.name if about else ""
            yield Finding("link_broken", key, name, account_id, organization_id, conflict.reason)


def _merged(facts: Facts) -> Iterator[Finding]:
    for link in facts.links.relinked:
        remedy = _repair("merged_account", link.organization.id)
        yield Finding(
            "merged_account",
            link.organization.id,
            link.organization.name,
            link.account.id,
            link.organization.id,
            f"{link.moved_from} was merged into {link.account.id}",
            link.moved_from or "",
            remedy,
        )
    for conflict in facts.links.conflicts:
        if conflict.rule in ("merged_account", "merged_accounts") and conflict.organization is not None:
            account_id = conflict.account.id if conflict.account else None
            held = conflict.organization
            yield Finding("merged_account", held.id, held.name, account_id, held.id, conflict.reason)


def _marked(facts: Facts) -> Iterator[Finding]:
    for each in facts.world.organizations:
        if each.values.get(facts.policy.marked) is True:
            account_id = own_id(each, facts.policy.salesforce_id)
            yield Finding("marked", each.id, each.name, account_id, each.id, "no account any more", "marked")


def _of_pair(report: str, account: Account, organization: Organization, key: str) -> Finding:
    return Finding(
        report,
        organization.id,
        organization.name,
        account.id,
        organization.id,
        _shown(account.target.get(key)),
        _shown(organization.values.get(key)),
        _repair(report, organization.id),
    )


def _repair(report: str, key: str) -> str:
    return f"sfdc-sync check --repair {report}:{key}"


def _shown(value: object) -> str:
    return "(empty)" if value in (None, "") else str(value)


def _by_product(
    report: str, words: Callable[[OrganizationsPolicy], tuple[str, ...]]
) -> Callable[[Facts], Iterable[Finding]]:
    return lambda facts: _missing(report, words(facts.policy), facts)


_JUDGES: Mapping[str, Callable[[Facts], Iterable[Finding]]] = {
    "support_level_mismatch": _mismatch,
    "missing_zendesk_org_dotcom": _by_product(
        "missing_zendesk_org_dotcom", lambda rules: rules.integrity.dotcom
    ),
    "missing_zendesk_org_self_managed": _by_product(
        "missing_zendesk_org_self_managed", lambda rules: rules.integrity.self_managed
    ),
    "link_broken": _broken,
    "merged_account": _merged,
    "repeat_records_in_salesforce": _repeats,
    "no_support_level": _no_support_level,
    "no_salesforce_id": _no_salesforce_id,
    "org_name_mismatch": _name_mismatch,
    "domain_malformed": _domains,
    "marked": _marked,
}
