"""What must be read from Zendesk for records: people, organizations, names, custom fields, SLA states; in batches."""

import re
from collections.abc import Awaitable, Collection, Iterable, Mapping

from sfdc_sync.matching.rules import OrganizationKey
from sfdc_sync.policy.fields import ASSIGNEE_SOURCES, NAME_SOURCES, SLA_SOURCES
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.ticket_records.fit import Value
from supportops.errors import DestinationPaused, Permanent, Unreadable
from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk import References, Ticket, Zendesk
from supportops.vendors.zendesk.models import Named, Organization, User
from supportops.vendors.zendesk.sla import RoadClosed, SlaRoad, Targets

Known = Mapping[str, Value]
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_NAMES = (("form_name", "form_id"), ("group_name", "group_id"), ("brand_name", "brand_id"))


class ZendeskDirectory:
    """`facts.Directory` on Zendesk's REST. Names are remembered for a while, tickets never."""

    def __init__(self, zendesk: Zendesk, names: References, *, policy: SfdcPolicy, base_url: str) -> None:
        self._zendesk = zendesk
        self._names = names
        self._policy = policy
        self._base_url = base_url
        self._road: SlaRoad | None = None

    async def requesters(self, ids: Collection[str]) -> Mapping[str, Known]:
        """Requester sources of each user that exists: requester_email, requester_name, requester_field:KEY.

        None of them of one that cannot be read.
        """
        odd: set[str] = set()
        found = await self._read(self._names.users, ids, odd)
        unknown: dict[str, Known] = {key: {} for key in odd}
        return unknown | {key: self._requester(user) for key, user in found.items()}

    async def organizations(self, ids: Collection[str]) -> Mapping[str, Known]:
        """Organization sources of each that exists: name, Salesforce id, organization_field:KEY."""
        found = await self._read(self._names.organizations, ids)
        return {key: self._organization(each) for key, each in found.items()}

    async def keys(self, ids: Collection[str]) -> Mapping[str, OrganizationKey | None]:
        """What each organization that exists says about its account; None of one that cannot be read."""
        odd: set[str] = set()
        found = await self._read(self._names.organizations, ids, odd)
        unknown: dict[str, OrganizationKey | None] = dict.fromkeys(odd)
        return unknown | {
            key: OrganizationKey(key, each.name, self._salesforce_id(each)) for key, each in found.items()
        }

    async def details(self, tickets: Mapping[str, Known], wanted: frozenset[str]) -> Mapping[str, Known]:
        """By ticket id what the sources of `wanted` add that events do not tell: names, assignee, custom fields, SLA.

        What Zendesk does not know, or a ticket that is not there any more, has none: unknown.
        """
        found: dict[str, dict[str, Value]] = {ticket_id: {} for ticket_id in tickets}
        if wanted & ASSIGNEE_SOURCES:
            await self._assignees(tickets, found)
        if wanted & NAME_SOURCES:
            await self._names_of(tickets, found, wanted)
        if custom := {source for source in wanted if source.startswith("custom_field:")}:
            for ticket_id, ticket in (await self._allowed(self._zendesk.tickets(tickets))).items():
                found[ticket_id] |= _custom_fields(ticket, custom)
        if wanted & SLA_SOURCES:
            for ticket_id, targets in (await self._targets(tickets)).items():
                found[ticket_id] |= _sla(targets)
        return found

    def ticket_url(self, ticket_id: str) -> str:
        """The agents' page of the ticket."""
        return f"{self._base_url}/agent/tickets/{ticket_id}"

    # --- rows ---

    def _requester(self, user: User) -> dict[str, Value]:
        fields = user.user_fields or {}
        return {
            "requester_email": user.email,
            "requester_name": user.name,
            **{f"requester_field:{key}": _value(value) for key, value in fields.items()},
        }

    def _organization(self, organization: Organization) -> dict[str, Value]:
        fields = organization.organization_fields or {}
        return {
            "organization_name": organization.name,
            "organization_salesforce_id": self._salesforce_id(organization),
            **{f"organization_field:{key}": _value(value) for key, value in fields.items()},
        }

    def _salesforce_id(self, organization: Organization) -> str | None:
        field = (organization.organization_fields or {}).get(self._policy.organization_salesforce_id)
        return field if isinstance(field, str) else None

    # --- details ---

    async def _assignees(self, tickets: Mapping[str, Known], found: dict[str, dict[str, Value]]) -> None:
        people = await self._read(self._names.users, _ids(tickets.values(), "assignee_id"))
        for ticket_id, known in tickets.items():
            if "assignee_id" not in known:
                continue
            user = people.get(str(known["assignee_id"]))
            if known["assignee_id"] is None:
                found[ticket_id] |= dict.fromkeys(ASSIGNEE_SOURCES)
            elif user is not None:
                found[ticket_id] |= {"assignee_name": user.name, "assignee_email": user.email}

    async def _names_of(
        self, tickets: Mapping[str, Known], found: dict[str, dict[str, Value]], wanted: frozenset[str]
    ) -> None:
        caches: dict[str, ReferenceCache[Named]] = {
            "form_name": self._names.forms,
            "group_name": self._names.groups,
            "brand_name": self._names.brands,
        }
        for source, id_source in _NAMES:
            if source not in wanted:
                continue
            names = await self._read(caches[source], _ids(tickets.values(), id_source))
            for ticket_id, known in tickets.items():
                if id_source in known and known[id_source] is None:
                    found[ticket_id][source] = None
                elif named := names.get(str(known.get(id_source))):
                    found[ticket_id][source] = named.name

    async def _targets(self, tickets: Mapping[str, Known]) -> Mapping[str, Targets]:
        """The road is found once: the first ticket that has targets shows it."""
        ids = sorted(tickets, key=int)
        if self._road is None:
            for ticket_id in ids:
                try:
                    probe = await self._allowed(self._zendesk.slas.probe(ticket_id))
                except Unreadable:  # its targets are unknown; another ticket may show the road
                    continue
                if probe.road is not None or not probe.answered:
                    self._road = probe.road
                    break
            if self._road is None:
                return {}
        try:
            return await self._allowed(self._zendesk.slas.read(self._road, ids))
        except RoadClosed:
            self._road = None
            return {}

    # --- calls ---

    async def _read[T](
        self, cache: ReferenceCache[T], ids: Collection[str], odd: set[str] | None = None
    ) -> Mapping[str, T]:
        return await self._allowed(cache.get_many((key for key in sorted(ids) if _ID.fullmatch(key)), odd))

    async def _allowed[T](self, reading: Awaitable[T]) -> T:
        """A refusal is about our rights, not about these tickets: everything waits for a person.

        Raises Unreadable for a row that came and says nothing.
        """
        try:
            return await reading
        except Unreadable:
            raise
        except Permanent as error:
            raise DestinationPaused(
                f"Zendesk refuses a look-up: {error}", self._policy.pauses.config
            ) from error


def _ids(known: Iterable[Known], name: str) -> set[str]:
    return {str(value) for each in known if (value := each.get(name))}


def _value(value: object) -> Value:
    """A custom field's value; what is neither a word, a number nor a list of words is unreadable, and so empty."""
    if isinstance(value, str | bool | int | float):
        return value
    if not isinstance(value, list):
        return None
    return [str(item) for item in value if isinstance(item, str | int | float) and not isinstance(item, bool)]


def _custom_fields(ticket: Ticket, wanted: Collection[str]) -> dict[str, Value]:
    held = {f"custom_field:{field.get('id')}": _value(field.get("value")) for field in ticket.custom_fields}
    return {source: held[source] for source in wanted if source in held}


def _sla(targets: Targets) -> dict[str, Value]:
    """The target that is breached next, or was breached first; known to have none where no clock runs."""
    running = sorted(
        (each for each in targets if each.runs and each.breach_at), key=lambda each: str(each.breach_at)
    )
    if not running:
        return dict.fromkeys(SLA_SOURCES)
    first = running[0]
    moment = first.breach_at.isoformat() if first.breach_at else None
    return {"sla_stage": first.stage, "sla_metric": first.metric, "sla_breach_at": moment}
