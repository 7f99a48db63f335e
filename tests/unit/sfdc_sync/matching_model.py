"""What matching must find, worked out from the whole of both sides: no queries, no batches, no memory, no order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sfdc_sync.policy.matching import MatchingPolicy
from sfdc_sync.salesforce.record_id import normalise

type Found = tuple[str | None, str] | None
"""The id and the rule's name; None where nothing is said."""


@dataclass
class ModelAccount:
    """An account that is there, or was: `heir` when it was merged away."""

    id: str
    name: str
    reference: str | None
    live: bool = True
    heir: "ModelAccount | None" = None


@dataclass
class ModelContact:
    id: str
    email: str
    account: ModelAccount | None
    active: bool
    created: str
    live: bool = True


@dataclass(frozen=True)
class ModelOrganization:
    id: str
    name: str
    salesforce_id: str | None


@dataclass
class ModelWorld:
    """Salesforce as it is, with what became of deleted and merged accounts."""

    accounts: list[ModelAccount] = field(default_factory=list)
    contacts: list[ModelContact] = field(default_factory=list)

    def delete(self, gone: ModelAccount) -> None:
        """Its contacts go with it."""
        gone.live = False
        for contact in self.contacts:
            if contact.account is gone:
                contact.live = False

    def merge(self, loser: ModelAccount, winner: ModelAccount) -> None:
        """Its contacts are the winner's."""
        loser.live, loser.heir = False, winner
        for contact in self.contacts:
            if contact.account is loser and contact.live:
                contact.account = winner

    def account_of(self, organization: ModelOrganization, policy: MatchingPolicy) -> Found:
        live = [each for each in self.accounts if each.live]
        key = normalise(organization.salesforce_id) if organization.salesforce_id else None
        named = next((each for each in self.accounts if each.id == key), None)
        while named is not None and not named.live:
            named = named.heir
        claiming = [each for each in live if each.reference == organization.id]
        told = {each.id for each in (*claiming, *([named] if named else []))}
        if len(told) > 1:
            return None, "conflict"
        if told:
            return told.pop(), "salesforce_id" if named else "organization_id"
        namesakes = [each for each in live if _plain(each.name) == _plain(organization.name)]
        if key is None and policy.account.by_name and len(namesakes) == 1 and namesakes[0].reference is None:
            return namesakes[0].id, "name"
        return None, "none"

    def contact_of(self, email: str | None, account: str | None, policy: MatchingPolicy) -> Found:
        if email is None:
            return None, "none"
        known = [each for each in self.contacts if each.live and _plain(each.email) == _plain(email)]
        if not known:
            return None, "none"
        if len(known) == 1:
            return known[0].id, "email"
        judged = bool(policy.contact.active)
        rank = {
            each.id: (
                account is not None and each.account is not None and each.account.id == account,
                judged and each.active,
            )
            for each in known
        }
        best = [each for each in known if rank[each.id] == max(rank.values())]
        if len(best) == 1:
            alone_there = sum(near for near, _ in rank.values()) == 1
            return best[0].id, "email_on_account" if alone_there else "email_active"
        oldest = min(best, key=lambda each: (each.created, each.id))
        return (oldest.id if policy.contact.ambiguous == "oldest" else None), "ambiguous_contact"

    def account_through(self, contact: Found, policy: MatchingPolicy) -> Found:
        """Of a ticket without an organization."""
        if contact is None or contact[0] is None or contact[1] == "ambiguous_contact":
            return None, "none"
        account = next(each.account for each in self.contacts if each.id == contact[0])
        return (account.id, "contact") if account and policy.contact.gives_account else (None, "none")


@dataclass(frozen=True)
class ModelTicket:
    """`organization`: an organization, None for a ticket that has none, and text where it is not known or gone."""

    organization: ModelOrganization | str | None
    email: str | None
    has_requester: bool = True


def expected(
    world: ModelWorld, tickets: Sequence[ModelTicket], policy: MatchingPolicy
) -> list[tuple[Found, Found]]:
    """Account and contact of each ticket."""
    found: list[tuple[Found, Found]] = []
    for ticket in tickets:
        account: Found = None
        if isinstance(ticket.organization, ModelOrganization):
            account = world.account_of(ticket.organization, policy)
        elif ticket.organization == "gone":
            account = None, "none"
        contact = (
            world.contact_of(ticket.email, account[0] if account else None, policy)
            if ticket.has_requester
            else None
        )
        if ticket.organization is None:
            account = world.account_through(contact, policy)
        found.append((account, contact))
    return found


def _plain(text: str) -> str:
    return text.strip().casefold()
