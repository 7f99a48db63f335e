"""The look-ups that matching needs, for many tickets in few calls: accounts three ways, contacts by e-mail."""

import re
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sfdc_sync.matching.rules import Account, Contact, OrganizationKey, Person
from sfdc_sync.policy.matching import MatchingPolicy, PersonFields
from sfdc_sync.salesforce.names import folded, shown
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.salesforce.rows import Row, value_at
from sfdc_sync.salesforce.soql import digits, in_lists, literal

MOST_ADDRESS, MOST_NAME = 80, 255  # characters of a contact's address, of an account's name
_UNASKABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # no query may hold them
_ADDRESS = re.compile(
    "[^\\s@\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+@[^\\s@\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+"
)
MOST_MERGES = 5  # of an account that was merged into one that was merged


class Reader(Protocol):
    """What we need of Salesforce (`salesforce.client.Salesforce`)."""

    async def queries(self, soql: Sequence[str], *, deleted: bool = False) -> Sequence[Sequence[Row]]:
        """The rows of each query, as few calls as possible; `deleted`: the recycle bin included."""
        ...


type Merges = Callable[[], Awaitable[Mapping[str, str]]]
"""Merged account's id -> the winner's, of merges that were seen before; the recycle bin may have forgotten them."""


async def no_merges() -> Mapping[str, str]:
    """None were seen."""
    return {}


@dataclass(frozen=True)
class Found:
    """What Salesforce has: accounts by id (also by the id of one that was merged into it), by organization, by name."""

    by_id: Mapping[str, Account]
    by_organization: Mapping[str, list[Account]]
    by_name: Mapping[str, list[Account]]
    by_email: Mapping[str, list[Contact]]


class Lookups:
    """Reads accounts and contacts with the fields that the rules name."""

    def __init__(self, salesforce: Reader, policy: MatchingPolicy, merges: Merges = no_merges) -> None:
        self._salesforce = salesforce
        self._policy = policy
        self._merges = merges

    async def find(self, organizations: Collection[OrganizationKey], emails: Collection[str]) -> Found:
        """Everything that may match, in one round; a second one follows accounts that were merged away.

        `emails` in lower case.
        """
        enabled = self._policy.account.enabled
        ids = {key.account_id for key in organizations if key.account_id and enabled}
        queries = [*self._account_queries(organizations, ids), *self._contact_queries(emails)]
        answers = await self._salesforce.queries(queries) if queries else []
        rows = [row for rows in answers for row in rows]
        accounts = [account for row in rows if "Email" not in row and (account := self._account(row))]
        contacts = [contact for row in rows if "Email" in row and (contact := self._contact(row))]
        found = {account.id: account for account in accounts}
        by_id = {key: found[key] for key in ids if key in found}
        by_id |= await self._merged(ids - set(by_id))
        return Found(by_id, _by_organization(found.values()), _by_name(found.values()), _by_email(contacts))

    # --- queries ---

    def _account_queries(self, organizations: Collection[OrganizationKey], ids: set[str]) -> list[str]:
        policy = self._policy.account
        if not policy.enabled:
            return []
        select = f"SELECT {', '.join(self._account_columns())} FROM Account WHERE"  # noqa: S608 # nosec B608 # SOQL of checked names
        queries = list(in_lists(f"{select} Id IN", sorted(ids)))
        if policy.organization_id:
            keys = sorted(key.id for key in organizations)
            form = digits if policy.organization_id_type == "number" else literal
            queries += in_lists(f"{select} {policy.organization_id} IN", keys, form)
        if policy.by_name:  # an organization that names its account is never matched by name
            names = {name for key in organizations if key.account_id is None for name in _spellings(key.name)}
            queries += in_lists(f"{select} Name IN", sorted(names))
        return queries

    def _contact_queries(self, emails: Collection[str]) -> list[str]:
        policy = self._policy.contact
        if not policy.enabled:
            return []
        own = ["Id", "Email", "CreatedDate", *([policy.active] if policy.active else [])]
        columns = [*own, *(f"Account.{name}" for name in self._account_columns())]
        select = f"SELECT {', '.join(columns)} FROM Contact WHERE IsDeleted = false AND Email IN"  # noqa: S608 # nosec B608 # SOQL of checked names
        return list(in_lists(select, sorted(emails)))

    def _account_columns(self) -> list[str]:
        policy = self._policy.account
        people = (*policy.owner.paths, *policy.technical_account_manager.paths)
        own = [policy.organization_id] if policy.organization_id else []
        return list(dict.fromkeys(["Id", "Name", *own, *people]))

    async def _merged(self, missing: set[str]) -> dict[str, Account]:
        """What accounts were merged into, by their own ids (docs/vendors/salesforce.md#deleted-and-merged)."""
        heirs = {key: key for key in missing}  # who stands in for an id, as far as it is known
        found: dict[str, Account] = {}
        for _ in range(MOST_MERGES):
            open_ids = sorted({heir for key, heir in heirs.items() if key not in found})
            if not open_ids:
                break
            masters = await self._masters(open_ids)
            if open_ids != sorted(masters):
                masters = {**await self._merges(), **masters}
            heirs = {
                key: masters[heir] for key, heir in heirs.items() if key not in found and heir in masters
            }
            live = await self._live(sorted(set(heirs.values())))
            found |= {key: live[heir] for key, heir in heirs.items() if heir in live}
        return found

    async def _masters(self, ids: Sequence[str]) -> dict[str, str]:
        query = "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true AND Id IN"
        answers = await self._salesforce.queries(list(in_lists(query, ids)), deleted=True)
        rows = [row for rows in answers for row in rows]
        return {
            own: master
            for row in rows
            if (own := _record_id(row.get("Id"))) and (master := _record_id(row.get("MasterRecordId")))
        }

    async def _live(self, ids: Sequence[str]) -> dict[str, Account]:
        select = f"SELECT {', '.join(self._account_columns())} FROM Account WHERE Id IN"  # noqa: S608 # nosec B608 # SOQL of checked names
        queries = list(in_lists(select, ids))
        answers = await self._salesforce.queries(queries) if queries else []
        accounts = [account for rows in answers for row in rows if (account := self._account(row))]
        return {account.id: account for account in accounts}

    # --- rows ---

    def _account(self, row: Row) -> Account | None:
        own, name = _record_id(row.get("Id")), row.get("Name")
        if own is None or not isinstance(name, str):
            return None
        policy = self._policy.account
        organization = value_at(row, policy.organization_id) if policy.organization_id else None
        return Account(
            own,
            name,
            _digits(organization),
            _person(row, policy.owner),
            _person(row, policy.technical_account_manager),
        )

    def _contact(self, row: Row) -> Contact | None:
        own, email = _record_id(row.get("Id")), row.get("Email")
        if own is None or not isinstance(email, str):
            return None
        parent = row.get("Account")
        active = value_at(row, self._policy.contact.active) if self._policy.contact.active else None
        return Contact(
            own,
            email.strip().lower(),
            str(row.get("CreatedDate") or ""),
            self._account(parent) if isinstance(parent, dict) else None,
            active if isinstance(active, bool) else None,
        )


def is_address(text: str) -> bool:
    """Whether a contact can have this address; any other would spoil the look-up of its whole batch."""
    return len(text) <= MOST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def _spellings(name: str) -> set[str]:
    """How an account of this name may spell it: as it is, as it is shown, and with accents as marks of their own."""
    found = {name.strip(), shown(name), unicodedata.normalize("NFD", shown(name))}
    return {each for each in found if 0 < len(each) <= MOST_NAME and not _UNASKABLE.search(each)}


def _by_organization(accounts: Collection[Account]) -> dict[str, list[Account]]:
    found: dict[str, list[Account]] = {}
    for account in sorted(accounts, key=lambda each: each.id):
        if account.organization_id:
            found.setdefault(account.organization_id, []).append(account)
    return found


def _by_name(accounts: Collection[Account]) -> dict[str, list[Account]]:
    found: dict[str, list[Account]] = {}
    for account in sorted(accounts, key=lambda each: each.id):
        found.setdefault(folded(account.name), []).append(account)
    return found


def _by_email(contacts: Collection[Contact]) -> dict[str, list[Contact]]:
    found: dict[str, list[Contact]] = {}
    for contact in contacts:
        found.setdefault(contact.email, []).append(contact)
    return found


def _record_id(value: object) -> str | None:
    return normalise(value) if isinstance(value, str) else None


def _digits(value: object) -> str | None:
    """The organization's id as text; a number field gives 8447346622462.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (
        str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None
    )


def _person(row: Row, fields: PersonFields) -> Person | None:
    name, email = _text(row, fields.name), _text(row, fields.email)
    return Person(name, email) if name or email else None


def _text(row: Row, path: str | None) -> str | None:
    value = value_at(row, path) if path else None
    return value.strip() or None if isinstance(value, str) else None
