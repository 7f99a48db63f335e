"""Zendesk as a sharing request needs it: the organization with everybody in it, and the customer's ticket."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfdc_sync.sharing.rules.access import Member, OtherOrganization, Situation
from sfdc_sync.sharing.rules.evidence import Evidence
from sfdc_sync.sharing.rules.options import ORGANIZATION, Sharing
from sfdc_sync.sharing.rules.plan import Difference
from supportops.vendors.zendesk import OrganizationSharing, UserRights, Zendesk

MOST_COMMENTS = 500
"""As many comments of a ticket are looked through for the customer's words, the newest first."""
END_USER = "end-user"


@dataclass(frozen=True)
class Reading:
    """An organization as it was read, with the notes that agents have written on it, and its tags."""

    situation: Situation
    notes: tuple[str, ...]
    tags: frozenset[str] = frozenset()


class SharingReader:
    """Reads, and changes nothing."""

    def __init__(self, zendesk: Zendesk) -> None:
        self._zendesk = zendesk

    async def organization(
        self, organization_id: str, opened: Collection[str] = (), *, others: bool = False
    ) -> Reading | None:
        """The organization and its members; None when it is gone.

        `others`: with the further organizations of members where they matter, a call or two for each: of those whose
        own level is open, and of those who are named in `opened`, by id or e-mail address.
        """
        found = await self._zendesk.sharing.organization(organization_id)
        if found is None:
            return None
        users = await self._zendesk.sharing.users(await self._zendesk.sharing.member_ids(organization_id))
        names = {name.strip().casefold() for name in opened}
        asked = [user for user in users.values() if others and _matters(user, names)]
        further = {user.id: await self._others(user.id, organization_id) for user in asked}
        members = tuple(_member(user, further.get(user.id, ())) for user in users.values())
        situation = Situation(organization_id, found.name, _sharing(found), members)
        return Reading(situation, (found.notes or "", found.details or ""), frozenset(found.tags))

    async def levels(self, user_ids: Collection[str]) -> Mapping[str, str | None]:
        """The own level of end users, by id; agents and people who are gone are left out."""
        found = await self._zendesk.sharing.users(user_ids)
        return {user.id: user.ticket_restriction for user in found.values() if user.role == END_USER}

    async def ignored(self, written: Mapping[str, str]) -> list[Difference]:
        """The end users whose level is not what was just written."""
        levels = await self.levels(written) if written else {}
        return [
            Difference(user_id, "ticket_restriction", wanted, levels[user_id] or "null")
            for user_id, wanted in written.items()
            if user_id in levels and levels[user_id] != wanted
        ]

    async def ticket(self, ticket_id: str) -> Evidence | None:
        """The customer's ticket, with its requester's own public words; None when it is gone.

        Its tags without those that it has from its requester, and none of a follow-up, which has its parent's.
        """
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            return None
        requester = ticket.requester_id
        if requester is None:
            return Evidence(ticket_id, None, tags=frozenset(ticket.tags))
        user = (await self._zendesk.sharing.users([requester])).get(requester)
        own = frozenset() if ticket.is_follow_up else frozenset(ticket.tags)
        comments = await self._zendesk.latest_comments(ticket_id, limit=MOST_COMMENTS)
        return Evidence(
            ticket_id,
            requester,
            requester_is_end_user=user is not None and user.role == END_USER,
            requester_organizations=frozenset(await self._zendesk.sharing.organization_ids_of(requester)),
            tags=own - frozenset(user.tags if user is not None else ()),
            words=tuple(each.body for each in comments if each.public and each.author_id == requester),
        )

    async def _others(self, user_id: str, organization_id: str) -> tuple[OtherOrganization, ...]:
        ids = await self._zendesk.sharing.organization_ids_of(user_id)
        found = await self._zendesk.sharing.organizations(each for each in ids if each != organization_id)
        return tuple(OtherOrganization(each.id, each.name, _sharing(each)) for each in found.values())


def _matters(user: UserRights, names: Collection[str]) -> bool:
    if user.role != END_USER:
        return False
    named = user.id in names or (user.email or "").strip().casefold() in names
    return named or user.ticket_restriction == ORGANIZATION


def _member(user: UserRights, others: tuple[OtherOrganization, ...]) -> Member:
    return Member(
        user.id,
        user.name,
        user.email,
        user.ticket_restriction,
        end_user=user.role == END_USER,
        suspended=user.suspended,
        others=others,
    )


def _sharing(organization: OrganizationSharing) -> Sharing:
    return Sharing(organization.shared_tickets, organization.shared_comments)
