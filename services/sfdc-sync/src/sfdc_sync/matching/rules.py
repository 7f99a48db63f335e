"""The rules of matching, in their order, each with the name that is stored and shown (docs/rules.md S2). Pure.

Nothing is guessed: where two explicit facts disagree the answer is `conflict`, where a name has two bearers it is none.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sfdc_sync.policy.matching import ContactMatching
from sfdc_sync.salesforce import record_id
from sfdc_sync.salesforce.names import folded


class AccountRule(StrEnum):
    """Which rule found the account."""

    SALESFORCE_ID = "salesforce_id"
    ORGANIZATION_ID = "organization_id"
    NAME = "name"
    CONTACT = "contact"
    CONFLICT = "conflict"
    NONE = "none"


class ContactRule(StrEnum):
    """Which rule found the contact."""

    EMAIL = "email"
    ON_ACCOUNT = "email_on_account"
    ACTIVE = "email_active"
    AMBIGUOUS = "ambiguous_contact"
    NONE = "none"


@dataclass(frozen=True)
class Person:
    """Somebody who looks after an account."""

    name: str | None
    email: str | None


@dataclass(frozen=True)
class Account:
    """An account that is not deleted. `organization_id`: the Zendesk organization that it names, as it stands there."""

    id: str
    name: str
    organization_id: str | None = None
    owner: Person | None = None
    technical_account_manager: Person | None = None


@dataclass(frozen=True)
class Contact:
    """A contact that is not deleted. `account`: whose it is; `created`: ISO 8601, sortable."""

    id: str
    email: str
    created: str
    account: Account | None = None
    active: bool | None = None


@dataclass(frozen=True)
class OrganizationKey:
    """What an organization of Zendesk says about itself. `salesforce_id` as it stands there: of any form, or none."""

    id: str
    name: str
    salesforce_id: str | None = None

    @property
    def account_id(self) -> str | None:
        """The account's id in its 18-character form; None where there is none, or what stands there is none."""
        return record_id.account_id(self.salesforce_id)


@dataclass(frozen=True)
class AccountMatch:
    """The account and the rule; `remark` says what somebody may want to mend."""

    account: Account | None
    rule: AccountRule
    remark: str = ""


@dataclass(frozen=True)
class ContactMatch:
    """The contact and the rule."""

    contact: Contact | None
    rule: ContactRule
    remark: str = ""


NO_ACCOUNT = AccountMatch(None, AccountRule.NONE)
NO_CONTACT = ContactMatch(None, ContactRule.NONE)


def match_account(
    organization: OrganizationKey,
    *,
    by_id: Account | None,
    by_organization: Sequence[Account],
    by_name: Sequence[Account],
    namesakes: Collection[str] = (),
) -> AccountMatch:
    """The organization's account.

    `by_id`: the live account that `salesforce_id` names, merges followed; `by_organization`: those that name this
    organization; `by_name`: those of its name; `namesakes`: ids of other organizations of its name.
    """
    remark = ""
    if organization.salesforce_id and organization.account_id is None:
        remark = "the organization's Salesforce id is no account's id"
    elif organization.account_id and by_id is None:
        remark = "the organization's Salesforce id names no account that we see"
    if by_id is not None:
        return _agreed(by_id, by_organization)
    if len(by_organization) == 1:
        return AccountMatch(by_organization[0], AccountRule.ORGANIZATION_ID, remark)
    if len(by_organization) > 1:
        words = f"{len(by_organization)} accounts name this organization"
        return AccountMatch(None, AccountRule.CONFLICT, words)
    if organization.account_id:  # it says whose it is: a mere name must not say otherwise
        return AccountMatch(None, AccountRule.NONE, remark)
    return _by_name(organization, by_name, namesakes, remark)


def _agreed(by_id: Account, by_organization: Sequence[Account]) -> AccountMatch:
    others = [account for account in by_organization if account.id != by_id.id]
    if others:
        words = f"the organization names {by_id.id}, and {others[0].id} names the organization"
        return AccountMatch(None, AccountRule.CONFLICT, words)
    return AccountMatch(by_id, AccountRule.SALESFORCE_ID)


def _by_name(
    organization: OrganizationKey, by_name: Sequence[Account], namesakes: Collection[str], remark: str
) -> AccountMatch:
    wanted = folded(organization.name)
    found = [account for account in by_name if folded(account.name) == wanted] if wanted else []
    if len(found) > 1 or (found and namesakes):
        words = f"{len(found)} accounts and {1 + len(namesakes)} organizations of one name"
        return AccountMatch(None, AccountRule.NONE, words)
    if found and found[0].organization_id not in (None, "", organization.id):
        words = f"account {found[0].id} has the name, and names another organization"
        return AccountMatch(None, AccountRule.NONE, words)
    return (
        AccountMatch(found[0], AccountRule.NAME, remark)
        if found
        else AccountMatch(None, AccountRule.NONE, remark)
    )


def match_contact(
    contacts: Sequence[Contact], account: Account | None, policy: ContactMatching | None = None
) -> ContactMatch:
    """The requester's contact among those of the e-mail address. `account`: the one that the organization has.

    Several: those on the account, then the single active one, else the oldest, which is flagged.
    """
    policy = policy or ContactMatching()
    if not contacts:
        return NO_CONTACT
    if len(contacts) == 1:
        return ContactMatch(contacts[0], ContactRule.EMAIL)
    near = [each for each in contacts if account and each.account and each.account.id == account.id]
    if len(near) == 1:
        return ContactMatch(near[0], ContactRule.ON_ACCOUNT)
    left = near or list(contacts)
    active = [each for each in left if each.active]
    if len(active) == 1:
        return ContactMatch(active[0], ContactRule.ACTIVE)
    oldest = min(active or left, key=lambda each: (each.created, each.id))
    remark = f"{len(contacts)} contacts have the address"
    return ContactMatch(oldest if policy.ambiguous == "oldest" else None, ContactRule.AMBIGUOUS, remark)


def account_of_contact(match: ContactMatch) -> AccountMatch:
    """The account of a ticket without an organization: its contact's, unless the contact itself is in doubt."""
    if match.contact is None or match.contact.account is None or match.rule is ContactRule.AMBIGUOUS:
        return NO_ACCOUNT
    return AccountMatch(match.contact.account, AccountRule.CONTACT)
