"""Matches many tickets at once: what is remembered, what is looked up, and the rules on top."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sfdc_sync.matching.lookups import Found, Lookups, Merges, Reader, is_address, no_merges
from sfdc_sync.matching.memory import Memory
from sfdc_sync.matching.rules import (
    NO_ACCOUNT,
    NO_CONTACT,
    AccountMatch,
    Contact,
    ContactMatch,
    OrganizationKey,
    account_of_contact,
    match_account,
    match_contact,
)
from sfdc_sync.policy.matching import MatchingPolicy
from sfdc_sync.salesforce.names import folded
from supportops.clock import Clock

type Namesakes = Callable[[Collection[str]], Awaitable[Mapping[str, Collection[str]]]]
"""Folded name -> ids of the organizations of Zendesk that have it, beside those of the batch."""


async def no_namesakes(_names: Collection[str]) -> Mapping[str, Collection[str]]:
    """None are known."""
    return {}


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
        namesakes: Namesakes = no_namesakes,
    ) -> None:
        self._policy, self._namesakes = policy, namesakes
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
        namesakes = await self._of_one_name(open_keys, organizations.values())
        fresh = {key.id: self._judge(key, found, namesakes) for key in open_keys}
        contacts = {email: found.by_email.get(email, []) for email in open_emails}
        # A conflict or a missing account is somebody's to mend: it is asked again soon.
        self._accounts.keep(
            {_memory_key(organizations[key]): match for key, match in fresh.items() if match.account}
        )
        self._contacts.keep(contacts)
        return _Known(known.accounts | fresh, known.contacts | contacts)

    async def _of_one_name(
        self, asked: Collection[OrganizationKey], batch: Collection[OrganizationKey]
    ) -> Mapping[str, set[str]]:
        """Folded name -> ids of all organizations that have it, as far as anybody here knows."""
        found: dict[str, set[str]] = {}
        names = {folded(key.name) for key in asked if key.account_id is None}
        if not names or not self._policy.account.by_name:
            return found
        for name, ids in (await self._namesakes(names)).items():
            found.setdefault(name, set()).update(ids)
        for key in batch:
            found.setdefault(folded(key.name), set()).add(key.id)
        return found

    def _judge(
        self, key: OrganizationKey, found: Found, namesakes: Mapping[str, Collection[str]]
    ) -> AccountMatch:
        name = folded(key.name)
        return match_account(
            key,
            by_id=found.by_id.get(key.account_id or ""),
            by_organization=found.by_organization.get(key.id, []),
            by_name=found.by_name.get(name, []) if self._policy.account.by_name else [],
            namesakes=[each for each in namesakes.get(name, ()) if each != key.id],
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
    """As addresses are compared; empty where no contact can have it."""
    address = (email or "").strip().lower()
    return address if is_address(address) else ""


def _memory_key(key: OrganizationKey) -> str:
    """Of what the organization says now: when that changes, it is judged anew."""
    return "\n".join((key.salesforce_id or "", key.name, key.id))
