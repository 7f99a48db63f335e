"""Organization events, version 1 (docs/vendors/zendesk.md#organization-events).

Zendesk sends no tags, custom fields, domain names or notes of an organization: read it by REST.
"""

from typing import ClassVar

from pydantic import Field

from supportops.contracts.envelope import Event, Part, UtcDatetime, ZendeskId
from supportops.contracts.tickets import Change


class OrganizationSnapshot(Part):
    """What the source knew of the organization. Every field may be absent (unknown) or null (known empty)."""

    name: str | None = None
    external_id: str | None = None
    group_id: str | None = None
    shared_tickets: bool | None = None
    shared_comments: bool | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None


class OrganizationEvent(Event):
    """What every organization event carries."""

    topic: ClassVar[str] = "zendesk.organizations"

    account_id: str
    organization_id: ZendeskId
    version: str = Field(description="sortable, see supportops.ticket_version")
    own_action: bool = Field(default=False, description="the actor is one of our integration users")
    organization: OrganizationSnapshot = OrganizationSnapshot()

    def knows(self, field: str) -> bool:
        """True if the organization's (or else the event's) ``field`` was present, also when null."""
        if field in OrganizationSnapshot.model_fields:
            return field in self.organization.model_fields_set
        return field in self.model_fields_set


class OrganizationCreated(OrganizationEvent):
    """An organization was created."""

    type: ClassVar[str] = "support.organization.created.v1"


class OrganizationUpdated(OrganizationEvent):
    """Something about an organization changed."""

    type: ClassVar[str] = "support.organization.updated.v1"
    zendesk_type: str = Field(description="Zendesk's name, e.g. name_changed")
    changes: list[Change] = Field(default_factory=list)


class OrganizationDeleted(OrganizationEvent):
    """An organization was deleted."""

    type: ClassVar[str] = "support.organization.deleted.v1"


ORGANIZATION_EVENTS: tuple[type[OrganizationEvent], ...] = (
    OrganizationCreated,
    OrganizationUpdated,
    OrganizationDeleted,
)
