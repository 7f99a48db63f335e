"""Matches many tickets at once: what is remembered, what is looked up, and the rules on top."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sfdc_sync.matching.lookups import Found, Lookups, Merges, Reader, no_merges
from sfdc_sync.matching.memory import Memory
from sfdc_sync.matching.rules import (
    NO_ACCOUNT,
    NO_CONTACT,
    AccountMatch,
    Contact,
    ContactMatch,
    OrganizationKey,
    account_of_contact,
    folded,
    match_account,
    match_contact,
)
from sfdc_sync.policy.matching import MatchingPolicy
from supportops.clock import Clock


@dataclass(frozen=True)
class Asked:
    """Whom a ticket is of. `has_organization` is None where it is not known, False where it has none."""

    has_organization: bool | None = None
    organization: OrganizationKey | None = None
    has_requester: bool = False
    email: str | None = None


@dataclass(frozen=True)
class Match:
    """What was found; None where it was not asked: matching is off, or nothing is known of the ticket's people."""

    account: AccountMatch | None = None
    contact: ContactMatch | None = None


@dataclass
class _Known:
    accounts: dict[str, AccountMatch] = field(default_factory=dict)  # by organization id
    contacts: dict[str, list[Contact]] = field(default_factory=dict)  # by e-mail


class Matcher:
    """The account and the contact of tickets. Organizations are judged once per `lifetime`, and so are addresses."""

    def __init__(
        self,
        salesforce: Reader,
        policy: MatchingPolicy,
        *,
        clock: Clock,
        lifetime: timedelta,
        merges: Merges = no_merges,
    ) -> None:
        self._policy = policy
        self._lookups = Lookups(salesforce, policy, merges)
        self._accounts: Memory[AccountMatch] = Memory(clock, lifetime)
        self._contacts: Memory[list[Contact]] = Memory(clock, lifetime)

    async def match(self, asked: Sequence[Asked]) -> list[Match]:
        """One match each, in their order. Raises what the calls raise: nobody is matched by half an answer."""
        organizations = {each.organization.id: each.organization for each in asked if each.organization}
        emails = {email for each in asked if (email := _address(each.email))}
        known = await self._known(organizations, emails)
        return [self._one(each, known) for each in asked]

    def forget(self, accounts: Collection[str]) -> None:
        """Look anew for whatever was matched to one of `accounts`: it was merged, or came back."""
        self._accounts.drop(lambda match: match.account is not None and match.account.id in accounts)
        self._contacts.drop(
            lambda found: any(each.account is not None and each.account.id in accounts for each in found)
        )

    async def _known(self, organizations: Mapping[str, OrganizationKey], emails: Collection[str]) -> _Known:
        known = _Known(
            self._accounts.known(_memory_key(key) for key in organizations.values()),
            self._contacts.known(emails),
        )
        known.accounts = {key.rsplit("\n", 1)[-1]: match for key, match in known.accounts.items()}
        open_keys = [key for key in organizations.values() if key.id not in known.accounts]
        open_emails = [email for email in emails if email not in known.contacts]
        found = await self._lookups.find(open_keys, open_emails)
        fresh = {key.id: self._judge(key, found, organizations.values()) for key in open_keys}
        contacts = {email: found.by_email.get(email, []) for email in open_emails}
        # A conflict or a missing account is somebody's to mend: it is asked again soon.
        self._accounts.keep(
            {_memory_key(organizations[key]): match for key, match in fresh.items() if match.account}
        )
        self._contacts.keep(contacts)
        return _Known(known.accounts | fresh, known.contacts | contacts)

    def _judge(
        self, key: OrganizationKey, found: Found, organizations: Collection[OrganizationKey]
    ) -> AccountMatch:
        name = folded(key.name)
        return match_account(
            key,
            by_id=found.by_id.get(key.account_id or ""),
            by_organization=found.by_organization.get(key.id, []),
            by_name=found.by_name.get(name, []) if self._policy.account.by_name else [],
            namesakes=[each.id for each in organizations if each.id != key.id and folded(each.name) == name],
        )

    def _one(self, asked: Asked, known: _Known) -> Match:
        account = known.accounts.get(asked.organization.id) if asked.organization else None
        contact = self._contact(asked, account, known)
        if not self._policy.account.enabled:
            return Match(None, contact)
        if asked.has_organization is False:
            account = account_of_contact(contact) if contact and self._policy.contact.gives_account else None
        return Match(account or _none_of(asked), contact)

    def _contact(self, asked: Asked, account: AccountMatch | None, known: _Known) -> ContactMatch | None:
        if not asked.has_requester or not self._policy.contact.enabled:
            return None
        email = _address(asked.email)
        if not email:
            return NO_CONTACT
        return match_contact(
            known.contacts.get(email, []), account.account if account else None, self._policy.contact
        )


def _none_of(asked: Asked) -> AccountMatch | None:
    return None if asked.has_organization is None else NO_ACCOUNT


def _address(email: str | None) -> str:
    return (email or "").strip().lower()


def _memory_key(key: OrganizationKey) -> str:
    """Of what the organization says now: when that changes, it is judged anew."""
    return "\n".join((key.salesforce_id or "", key.name, key.id))
