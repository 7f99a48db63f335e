"""Who sees whose tickets in Zendesk: settings of organizations, memberships, and the level of each user.

Nothing odd is left out here: a member that cannot be read might be the one who sees too much (docs/sharing.md).
"""

from collections.abc import Iterable
from itertools import batched

from supportops.errors import NotFound
from supportops.vendors.zendesk.calls import Calls, as_model, digits, in_its_words, listed, read
from supportops.vendors.zendesk.models import Answered, Id, Identified, Word, Words

MANY = 100
"""Ids in one show_many call, and rows on one cursor page."""


class OrganizationSharing(Identified):
    """What an organization's members may see and do; `notes` and `details` are for agents, `tags` go to its tickets."""

    decides = frozenset({"shared_tickets", "shared_comments", "notes", "details", "tags"})

    name: str
    shared_tickets: bool = False
    shared_comments: bool = False
    notes: str | None = None
    details: str | None = None
    tags: Words = ()


class UserRights(Identified):
    """A user with what restricts them; `ticket_restriction`: `requested` or `organization` for end users. `tags` go to
    their tickets.
    """

    decides = frozenset({"ticket_restriction", "suspended", "active", "tags"})

    name: str = ""
    email: str | None = None
    role: Word
    ticket_restriction: Word | None = None
    suspended: bool = False
    active: bool = True
    tags: Words = ()


class Membership(Answered):
    """One user's place in one organization."""

    user_id: Id
    organization_id: Id


class TicketSharing:
    """The part of Zendesk's REST that shared organizations need."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def organization(self, organization_id: str) -> OrganizationSharing | None:
        """The organization as it is now; None when it is gone."""
        answer = await self._calls.find("organization", f"/organizations/{digits(organization_id)}")
        return None if answer is None else read(OrganizationSharing, answer, "organization")

    async def organizations(self, organization_ids: Iterable[str]) -> dict[str, OrganizationSharing]:
        """Those that exist, by id."""
        found: dict[str, OrganizationSharing] = {}
        for some in batched(dict.fromkeys(map(digits, organization_ids)), MANY):
            answer = await self._calls.get(
                "organizations", "/organizations/show_many", {"ids": ",".join(some)}
            )
            rows = [as_model(OrganizationSharing, row) for row in listed(answer, "organizations")]
            found |= {row.id: row for row in rows}
        return found

    async def member_ids(self, organization_id: str) -> list[str]:
        """Everybody who belongs to the organization, whether it is their default one or not."""
        path = f"/organizations/{digits(organization_id)}/organization_memberships"
        return [each.user_id for each in await self._memberships(path)]

    async def organization_ids_of(self, user_id: str) -> list[str]:
        """The organizations that a user belongs to; none when the user is gone."""
        path = f"/users/{digits(user_id)}/organization_memberships"
        return [each.organization_id for each in await self._memberships(path)]

    async def users(self, user_ids: Iterable[str]) -> dict[str, UserRights]:
        """Those who exist, by id."""
        found: dict[str, UserRights] = {}
        for some in batched(dict.fromkeys(map(digits, user_ids)), MANY):
            answer = await self._calls.get("users", "/users/show_many", {"ids": ",".join(some)})
            found |= {row.id: row for row in (as_model(UserRights, row) for row in listed(answer, "users"))}
        return {user_id: user for user_id, user in found.items() if user.active}

    async def share(self, organization_id: str, *, tickets: bool, comments: bool) -> None:
        """Set both settings of an organization. Setting them again does no harm."""
        settings = {"shared_tickets": tickets, "shared_comments": comments}
        path = f"/organizations/{digits(organization_id)}"
        await self._calls.put("share_organization", path, {"organization": settings})

    async def restrict(self, user_id: str, restriction: str) -> None:
        """Set an end user's `ticket_restriction`. Setting it again does no harm."""
        body = {"user": {"ticket_restriction": restriction}}
        await self._calls.put("restrict_user", f"/users/{digits(user_id)}", body)

    async def _memberships(self, path: str) -> list[Membership]:
        found: list[Membership] = []
        try:
            with in_its_words():
                async for page in self._calls.pages(
                    "memberships", path, {"page[size]": str(MANY)}, whole=True
                ):
                    found += [as_model(Membership, row) for row in listed(page, "organization_memberships")]
        except NotFound:
            return []
        return found
