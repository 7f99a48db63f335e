"""Organization events in: our own list is kept fresh, and what changed is read again by the next delta.

Events tell no tags and no domains, and sharing not at all (docs/vendors/zendesk.md#organization-events): they only say
that an organization is not what we last read.
"""

from sfdc_sync.salesforce.names import folded
from sfdc_sync.salesforce.record_id import account_id
from sfdc_sync.tables import organizations
from supportops.contracts import OrganizationCreated, OrganizationDeleted, OrganizationEvent
from supportops.contracts.organizations import ORGANIZATION_EVENTS
from supportops.messaging import Handlers
from supportops.store import Transaction
from supportops.ticket_version import is_newer


def add_organization_handlers(handlers: Handlers) -> Handlers:
    """Add the handlers of this file to a consumer's table."""
    for kind in ORGANIZATION_EVENTS:
        handlers.on(kind, remember, ((organizations, _organization_id),))
    return handlers


def remember(event: OrganizationEvent, tx: Transaction) -> None:
    """Note what the event tells of an organization; an older one, or one heard twice, changes nothing."""
    rows = tx.rows(organizations)
    row = rows.get(event.organization_id)
    if row is not None and not is_newer(event.version, row["version"]):
        return
    if isinstance(event, OrganizationDeleted):
        if row is not None:
            rows.put(event.organization_id, version=event.version, deleted_at=tx.now, stale=False)
        return
    told = event.organization
    if row is None:
        if not isinstance(event, OrganizationCreated) and told.name is None:
            return  # nothing to keep yet: the next full compare reads it
        rows.put(event.organization_id, **_first(told.name or "", told.external_id), seen_at=tx.now)
        row = rows.get(event.organization_id)
    values = {"version": event.version, "stale": True}
    if told.name is not None:
        values |= {"name": told.name, "folded_name": folded(told.name)}
    if event.knows("external_id"):
        values["external_id"] = told.external_id
    rows.put(event.organization_id, **values)


def _first(name: str, external_id: str | None) -> dict[str, object]:
    return {
        "name": name,
        "folded_name": folded(name),
        "external_id": external_id,
        "account_id": account_id(external_id),
        "held": "{}",
        "domains": "[]",
        "marked": False,
        "stale": True,
    }


def _organization_id(event: OrganizationEvent) -> str:
    return event.organization_id
