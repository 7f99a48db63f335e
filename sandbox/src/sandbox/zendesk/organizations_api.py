"""REST for organizations (docs/vendors/zendesk.md#organizations), which raise events."""

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import events, render
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import at_most, bad_request, invalid, too_many_values
from sandbox.zendesk.records import Organization, Ticket, User
from sandbox.zendesk.rules import tag_list

_KEYS = (
    "external_id",
    "domain_names",
    "details",
    "notes",
    "group_id",
    "shared_tickets",
    "shared_comments",
    "tags",
)


class OrganizationsApi:
    def __init__(self, account: Account, ledger: Ledger) -> None:
        self._account = account
        self._ledger = ledger

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/organizations", self.organizations),
            ("POST", "/organizations", self.create_organization),
            ("GET", "/organizations/show_many", self.organizations_by_id),
            ("GET", "/organizations/search", self.search_organizations),
            ("GET", "/organizations/autocomplete", self.autocomplete),
            ("POST", "/organizations/create_or_update", self.put_organization),
            ("GET", "/organizations/{id}", self.organization),
            ("PUT", "/organizations/{id}", self.update_organization),
            ("DELETE", "/organizations/{id}", self.delete_organization),
            ("GET", "/organizations/{id}/related", self.related),
            ("PUT", "/organizations/{id}/tags", self.add_tags),
        ]

    def organization(self, call: Call) -> Reply:
        return self._organization(self._account.organization(call.number("id")))

    def organizations(self, call: Call) -> Reply:
        found = list(self._account.records.organizations.values())
        return Reply(200, page_of(call, self._account.base, "organizations", found, self._shown))

    def organizations_by_id(self, call: Call) -> Reply:
        known = self._account.records.organizations
        if "external_ids" in call.query:
            wanted = {part.strip().casefold() for part in call.query["external_ids"].split(",")}
            if len(wanted) > 100:
                raise too_many_values("external_ids")
            return self._organizations(
                [o for o in known.values() if (o.external_id or "").casefold() in wanted]
            )
        return self._organizations([known[i] for i in at_most(call.ids(), "ids") if i in known])

    def search_organizations(self, call: Call) -> Reply:
        """By `external_id` or by `name`, exact and case-insensitive, not both."""
        external, name = call.query.get("external_id"), call.query.get("name")
        if (external is None) == (name is None):
            raise bad_request("InvalidQuery", "give one of external_id and name")
        known = self._account.records.organizations.values()
        if external is not None:
            return self._organizations(
                [o for o in known if (o.external_id or "").casefold() == external.casefold()]
            )
        return self._organizations([o for o in known if o.name.casefold() == (name or "").strip().casefold()])

    def autocomplete(self, call: Call) -> Reply:
        prefix = call.query.get("name", "").casefold()
        known = self._account.records.organizations.values()
        return self._organizations([o for o in known if o.name.casefold().startswith(prefix)])

    def create_organization(self, call: Call) -> Reply:
        made = self.create(call.json().get("organization", {}))
        url = f"{self._account.base}/organizations/{made.id}.json"
        return Reply(201, {"organization": self._shown(made)}, {"location": url})

    def put_organization(self, call: Call) -> Reply:
        """Matches by id or external_id, never by name."""
        values = call.json().get("organization", {})
        known = self._account.records.organizations
        wanted = str(values.get("external_id") or "").casefold()
        found = known.get(int(values.get("id") or 0)) or next(
            (o for o in known.values() if wanted and (o.external_id or "").casefold() == wanted), None
        )
        if found is None:
            return self.create_organization(call)
        self.change(found, values)
        return self._organization(found)

    def update_organization(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        self.change(found, call.json().get("organization", {}))
        return self._organization(found)

    def delete_organization(self, call: Call) -> Reply:
        """204; its tickets and users lose the organization."""
        self.remove(self._account.organization(call.number("id")))
        return Reply(204)

    def remove(self, gone: Organization, heir: int | None = None) -> None:
        """Take an organization away; its tickets and users go to the heir, or lose it."""
        del self._account.records.organizations[gone.id]
        holders: list[User | Ticket] = [
            *self._account.records.users.values(),
            *self._account.records.tickets.values(),
        ]
        for holder in holders:
            if holder.organization_id == gone.id:
                holder.organization_id = heir
            if isinstance(holder, User):
                keys = [heir if key == gone.id else key for key in holder.organization_ids]
                holder.organization_ids = [key for key in keys if key is not None]
        detail = events.organization_detail(gone)
        self._account.announce("organization", gone.id, detail, Happening("deleted"))
        self._ledger.add("zendesk.organization.deleted", organization_id=gone.id)

    def create(self, values: Json) -> Organization:
        """A new organization; Problem when its name or external id is taken."""
        name = str(values.get("name") or "").strip()
        self._check_unique(None, name, values.get("external_id"))
        made = Organization(self._account.ids.next("organization"), name)
        _assign(made, values)
        made.organization_fields = self._kept(values)
        self._account.add_organization(made)
        detail = events.organization_detail(made)
        self._account.announce("organization", made.id, detail, Happening("created"))
        self._ledger.add("zendesk.organization.created", organization_id=made.id, name=name)
        return made

    def change(self, found: Organization, values: Json) -> None:
        """Write what `values` names; Problem when the name or external id is taken."""
        name = str(values.get("name", found.name)).strip()
        external_id = values.get("external_id")
        if (name, external_id or found.external_id) != (found.name, found.external_id):
            self._check_unique(found, name, external_id)
        before = self._shown(found)
        found.name = name
        _assign(found, values)
        found.organization_fields = found.organization_fields | self._kept(values)
        after = self._shown(found)
        if after != before:
            found.updated_at = self._account.clock.now_ns()
            fields = {key: after[key] for key in after if after[key] != before[key]}
            self._ledger.add("zendesk.organization.updated", organization_id=found.id, fields=fields)
            for happening in _organization_changes(before, after):
                self._account.announce("organization", found.id, events.organization_detail(found), happening)

    def _kept(self, values: Json) -> Json:
        """Custom fields as they come back: a day in a field of dates as the moment of its midnight."""
        known = self._account.records.organization_fields
        return {
            key: f"{value}T00:00:00+00:00" if value and known.get(key, {}).get("type") == "date" else value
            for key, value in (values.get("organization_fields") or {}).items()
        }

    def _check_unique(self, found: Organization | None, name: str, external_id: str | None) -> None:
        if not name:
            raise invalid("name", "Name: cannot be blank", error="BlankValue")
        for other in self._account.records.organizations.values():
            if other is found:
                continue
            if other.name.casefold() == name.casefold():
                raise invalid("name", "Name: has already been taken", error="DuplicateValue")
            if external_id and (other.external_id or "").casefold() == external_id.casefold():
                raise invalid("external_id", "External: has already been taken", error="DuplicateValue")

    def _shown(self, organization: Organization) -> Json:
        return render.organization(self._account.base, organization)

    def _organization(self, organization: Organization) -> Reply:
        return Reply(200, {"organization": self._shown(organization)})

    def _organizations(self, found: list[Organization]) -> Reply:
        shown = [self._shown(organization) for organization in found]
        return Reply(
            200, {"organizations": shown, "count": len(shown), "next_page": None, "previous_page": None}
        )

    def related(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        records = self._account.records
        tickets = sum(
            1 for t in records.tickets.values() if t.organization_id == found.id and t.status != "deleted"
        )
        users = sum(1 for u in records.users.values() if found.id in u.memberships)
        return Reply(200, {"organization_related": {"tickets_count": tickets, "users_count": users}})

    def add_tags(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        self.change(found, {"tags": tag_list([*found.tags, *call.json().get("tags", [])])})
        return Reply(200, {"tags": found.tags})


def _assign(organization: Organization, values: Json) -> None:
    for key in _KEYS:
        if key in values:
            setattr(organization, key, values[key])


def _organization_changes(before: Json, after: Json) -> list[Happening]:
    """The events that exist for organizations (2.8): none for domains, notes, group or sharing."""
    happenings = [
        events.changed(key, after[key], before[key])
        for key in ("name", "external_id")
        if after[key] != before[key]
    ]
    for key, value in after["organization_fields"].items():
        previous = before["organization_fields"].get(key)
        if value != previous:
            field = {"id": key, "title": key, "type": "text"}
            happenings.append(
                Happening("custom_field_changed", {"field": field, "current": value, "previous": previous})
            )
    added = [tag for tag in after["tags"] if tag not in before["tags"]]
    removed = [tag for tag in before["tags"] if tag not in after["tags"]]
    if added or removed:
        happenings.append(Happening("tags_changed", {"added": {"tags": added}, "removed": {"tags": removed}}))
    return happenings
