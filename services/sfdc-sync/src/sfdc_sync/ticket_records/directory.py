"""Names and addresses of Zendesk's people and organizations, read in batches."""

import re
from collections.abc import Collection, Mapping

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.ticket_records.mapping import Value
from supportops.errors import DestinationPaused, Permanent
from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk import Organization, User

_ID = re.compile(r"[0-9]{1,20}", re.ASCII)


class ZendeskDirectory:
    """`destination.Directory` on Zendesk's REST, in batches, remembered for a while."""

    def __init__(
        self,
        users: ReferenceCache[User],
        organizations: ReferenceCache[Organization],
        *,
        policy: SfdcPolicy,
        base_url: str,
    ) -> None:
        self._users = users
        self._organizations = organizations
        self._policy = policy
        self._base_url = base_url

    async def requesters(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """E-mail address and name of each user that exists."""
        found = await self._read(self._users, ids)
        return {
            key: {"requester_email": user.email, "requester_name": user.name} for key, user in found.items()
        }

    async def organizations(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """Name and Salesforce id of each organization that exists."""
        found = await self._read(self._organizations, ids)
        return {key: self._sources(organization) for key, organization in found.items()}

    def ticket_url(self, ticket_id: str) -> str:
        """The agents' page of the ticket."""
        return f"{self._base_url}/agent/tickets/{ticket_id}"

    def _sources(self, organization: Organization) -> Mapping[str, Value]:
        field = (organization.organization_fields or {}).get(self._policy.organization_salesforce_id)
        return {
            "organization_name": organization.name,
            "organization_salesforce_id": field if isinstance(field, str) else None,
        }

    async def _read[T](self, cache: ReferenceCache[T], ids: Collection[str]) -> Mapping[str, T]:
        """A refusal is about our rights, not about these tickets: everything waits for a person."""
        try:
            return await cache.get_many(key for key in sorted(ids) if _ID.fullmatch(key))
        except Permanent as error:
            raise DestinationPaused(
                f"Zendesk refuses a look-up: {error}", self._policy.pauses.config
            ) from error
