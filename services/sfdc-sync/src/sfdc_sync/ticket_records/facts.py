"""What is known of tickets when they are written: from their events, read from Zendesk, matched in Salesforce."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sfdc_sync.matching.matcher import Asked, Match
from sfdc_sync.matching.rules import AccountRule, ContactRule, OrganizationKey
from sfdc_sync.policy.fields import (
    ASSIGNEE_SOURCES,
    NAME_SOURCES,
    ORGANIZATION_SOURCES,
    REQUESTER_SOURCES,
    SLA_SOURCES,
)
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.fit import Value

Known = Mapping[str, Value]
DETAILS = ASSIGNEE_SOURCES | NAME_SOURCES | SLA_SOURCES


class Directory(Protocol):
    """What must be read from Zendesk (`directory.ZendeskDirectory`)."""

    async def requesters(self, ids: Collection[str]) -> Mapping[str, Known]:
        """Sources of the requesters that exist, by user id."""
        ...

    async def organizations(self, ids: Collection[str]) -> Mapping[str, Known]:
        """Sources of the organizations that exist, by organization id."""
        ...

    async def keys(self, ids: Collection[str]) -> Mapping[str, OrganizationKey | None]:
        """What each organization says about its account; None of one that cannot be read."""
        ...

    async def details(self, tickets: Mapping[str, Known], wanted: frozenset[str]) -> Mapping[str, Known]:
        """What else `wanted` asks for, by ticket id."""
        ...

    def ticket_url(self, ticket_id: str) -> str:
        """Where people find the ticket."""
        ...


class Matching(Protocol):
    """Who finds accounts and contacts (`matching.Matcher`)."""

    async def match(self, asked: Sequence[Asked]) -> list[Match]:
        """One match each, in their order."""
        ...

    def forget(self, accounts: Collection[str]) -> None:
        """Look anew for whatever was matched to one of `accounts`."""
        ...


@dataclass(frozen=True)
class TicketFacts:
    """Sources with their values, and how account and contact were found."""

    ticket: Ticket
    known: Known
    match: Match

    @property
    def account_id(self) -> str:
        """Of the account found; empty where there is none."""
        found = self.match.account.account if self.match.account else None
        return found.id if found else ""


class Facts:
    """Gathers in few calls, whatever the number of tickets: people, organizations, then one look-up in Salesforce."""

    def __init__(self, directory: Directory, matching: Matching, policy: SfdcPolicy) -> None:
        self._directory = directory
        self._matching = matching
        self._wanted = policy.ticket_record.sources
        self._details = frozenset(
            source for source in self._wanted if source in DETAILS or source.startswith("custom_field:")
        )

    async def of(self, tickets: Sequence[Ticket]) -> list[TicketFacts]:
        """One each, in their order."""
        people = await self._directory.requesters(_ids(tickets, "requester_id"))
        ids = _ids(tickets, "organization_id")
        organizations = await self._directory.organizations(ids)
        keys = await self._directory.keys(ids)
        matches = await self._matching.match([_asked(each, people, keys) for each in tickets])
        known = {each.ticket_id: each.known for each in tickets}
        details = await self._directory.details(known, self._details) if self._details else {}
        return [
            TicketFacts(
                each, self._known(each, people, organizations, match, details.get(each.ticket_id, {})), match
            )
            for each, match in zip(tickets, matches, strict=True)
        ]

    def forget(self, accounts: Collection[str]) -> None:
        """What was remembered of these accounts is not true any more."""
        self._matching.forget(accounts)

    def _known(
        self,
        ticket: Ticket,
        people: Mapping[str, Known],
        organizations: Mapping[str, Known],
        match: Match,
        details: Known,
    ) -> Known:
        known = dict(ticket.known)
        if known.get("status") == "deleted" and not ticket.deleted:
            del known["status"]  # it was brought back, and nobody has told yet as what
        return {
            **known,
            "ticket_id": ticket.ticket_id,
            "ticket_url": self._directory.ticket_url(ticket.ticket_id),
            **self._looked_up(ticket, "requester_id", people, "requester_field:", REQUESTER_SOURCES),
            **self._looked_up(
                ticket, "organization_id", organizations, "organization_field:", ORGANIZATION_SOURCES
            ),
            **details,
            **matched(match),
        }

    def _looked_up(
        self, ticket: Ticket, id_source: str, found: Mapping[str, Known], prefix: str, names: frozenset[str]
    ) -> Known:
        """What a look-up adds. No id known: nothing. Known to have none: known to be empty."""
        if id_source not in ticket.known:
            return {}
        wanted = names | {source for source in self._wanted if source.startswith(prefix)}
        value = ticket.known[id_source]
        if value is None:
            return dict.fromkeys(wanted)
        return {name: known for name, known in found.get(str(value), {}).items() if name in wanted}


def matched(match: Match) -> Known:
    """The sources that matching gives. In doubt (a conflict, contacts that nothing tells apart) the id is unknown."""
    known: dict[str, Value] = {}
    if (account := match.account) is not None:
        known["account_match"] = account.rule.value
        if account.rule is not AccountRule.CONFLICT:
            known["account_id"] = account.account.id if account.account else None
            known["account_name"] = account.account.name if account.account else None
    if (contact := match.contact) is not None:
        known["contact_match"] = contact.rule.value
        if contact.contact is not None or contact.rule is not ContactRule.AMBIGUOUS:
            known["contact_id"] = contact.contact.id if contact.contact else None
    return known


def _asked(ticket: Ticket, people: Mapping[str, Known], keys: Mapping[str, OrganizationKey | None]) -> Asked:
    """An organization or a requester that Zendesk does not know (any more) is none; one that is there and cannot be
    read is unknown, so that nothing is said about it.
    """
    organization_id, requester_id = (
        str(ticket.known.get(name)) for name in ("organization_id", "requester_id")
    )
    odd_organization = organization_id in keys and keys[organization_id] is None
    odd_requester = requester_id in people and not people[requester_id]
    has_organization: bool | None = None
    if "organization_id" in ticket.known and not odd_organization:
        has_organization = ticket.known["organization_id"] is not None
    email = people.get(requester_id, {}).get("requester_email")
    return Asked(
        has_organization,
        keys.get(organization_id),
        "requester_id" in ticket.known and not odd_requester,
        email if isinstance(email, str) else None,
    )


def _ids(tickets: Sequence[Ticket], name: str) -> set[str]:
    return {str(value) for ticket in tickets if (value := ticket.known.get(name))}
